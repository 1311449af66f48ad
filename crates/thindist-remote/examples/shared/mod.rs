//! What both examples share: the identity of the client, and actions that import nothing.

use std::sync::Arc;
use std::time::Duration;
use thindist_core::action::Action;
use thindist_core::digest::Digest;
use thindist_exec::{Job, Source};
use thindist_remote::{Address, Options, Tls};

/// A client of the engine at `address`, without which nothing is made.
pub(crate) fn options(address: &str) -> Options {
    let address = Address::parse("remote_executor", address).unwrap_or_else(|error| panic!("{error}"));
    Options {
        cache: address.clone(),
        executor: Some(address),
        exec_properties: Vec::new(),
        local_fallback: false,
        instance_name: String::new(),
        headers: Vec::new(),
        tls: Tls::default(),
        timeout: Duration::from_secs(60),
        retries: 5,
        accept_cached: true,
        upload_local_results: false,
    }
}

/// A backend for x86_64 in a directory below the root of its inputs.
pub(crate) fn job(name: String, compiler: Digest, arguments: Vec<String>, module: Arc<[u8]>, index: Arc<[u8]>) -> Job {
    let action = Action {
        compiler,
        arguments,
        module: Digest::of(&module),
        index: Digest::of(&index),
        imports: Vec::new(),
        extra_inputs: Vec::new(),
        working_directory_depth: 1,
        elf_machine: 62,
    };
    let (module, index) = (Source::Bytes(module), Source::Bytes(index));
    Job { action, name, module, index, imports: Vec::new(), extra_inputs: Vec::new() }
}
