//! Converts an action into one of the API.

use super::Worker;
use super::tree::{self, Tree};
use crate::api;
use crate::blobs::Upload;
use thindist_core::action::{INDEX_NAME, MODULE_NAME, NATIVE_OBJECT_NAME, import_name};
use thindist_core::digest::Digest;
use thindist_exec::{Job, Source};

/// The name of each directory between the root and the working directory, as in a local action root.
const LEVEL: &str = "d";

/// An action of the API with all that it consists of.
#[derive(Debug)]
pub(crate) struct RemoteAction {
    pub(crate) digest: Digest,
    pub(crate) blobs: Vec<Upload>,
}

impl RemoteAction {
    /// Fails for an action with an input that no root can hold.
    pub(crate) fn of(job: &Job, worker: &Worker) -> Result<Self, String> {
        let mut blobs = Vec::new();
        let input_root = input_root(job, worker, &mut blobs)?;
        let command = tree::add(&mut blobs, &command(job, worker));
        let action = api::Action {
            command_digest: Some(api::digest(&command)),
            input_root_digest: Some(api::digest(&input_root)),
            platform: platform(worker),
            ..api::Action::default()
        };
        let digest = tree::add(&mut blobs, &action);
        Ok(Self { digest, blobs })
    }
}

fn input_root(job: &Job, worker: &Worker, blobs: &mut Vec<Upload>) -> Result<Digest, String> {
    let action = &job.action;
    let levels: Vec<&str> = (0..action.working_directory_depth).map(|_| LEVEL).collect();
    let mut tree = Tree::default();
    let mut place = |path: &str, digest: Digest, source: &Source, blobs: &mut Vec<Upload>| {
        blobs.push(upload(digest, source));
        tree.insert(&levels, path, (digest, false))
    };
    place(MODULE_NAME, action.module, &job.module, blobs)?;
    place(INDEX_NAME, action.index, &job.index, blobs)?;
    for (rank, (import, source)) in action.imports.iter().zip(&job.imports).enumerate() {
        place(&import_name(rank), import.bitcode, source, blobs)?;
    }
    for (extra, source) in action.extra_inputs.iter().zip(&job.extra_inputs) {
        place(&extra.path, extra.digest, source, blobs)?;
    }
    worker.toolchain.place(&mut tree, blobs)?;
    Ok(tree.seal(blobs))
}

fn upload(digest: Digest, source: &Source) -> Upload {
    match source {
        Source::File { path, .. } => Upload::file(digest, path.clone()),
        Source::Bytes(bytes) => Upload::bytes(digest, bytes.clone()),
    }
}

fn command(job: &Job, worker: &Worker) -> api::Command {
    let depth = job.action.working_directory_depth;
    let mut arguments = worker.toolchain.command(depth);
    arguments.extend(job.action.arguments.iter().cloned());
    let outputs = vec![NATIVE_OBJECT_NAME.to_owned()];
    let working_directory = (0..depth).map(|_| LEVEL).collect::<Vec<_>>().join("/");
    // Old servers know output_files and the platform of the command only.
    #[expect(deprecated, reason = "old servers know no other")]
    api::Command {
        arguments,
        output_files: outputs.clone(),
        output_paths: outputs,
        platform: platform(worker),
        working_directory,
        ..api::Command::default()
    }
}

fn platform(worker: &Worker) -> Option<api::Platform> {
    let mut properties: Vec<_> = worker
        .properties
        .iter()
        .map(|(name, value)| api::platform::Property { name: name.clone(), value: value.clone() })
        .collect();
    properties.sort_by(|one, other| (&one.name, &one.value).cmp(&(&other.name, &other.value)));
    (!properties.is_empty()).then_some(api::Platform { properties })
}
