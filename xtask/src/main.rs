//! `cargo xtask <task>`: everything that people and CI run on this project, as one table of tasks.
//!
//! A task knows how to install what it needs, so a fresh machine needs Rust, gcc and make, and nothing else.
//! What a task makes stays below `target/`.

mod apt;
mod arguments;
mod cargo;
mod checks;
mod demo;
mod dist;
mod docs;
mod engine;
mod files;
mod fuzz;
mod kernel;
mod links;
mod lld_tests;
mod machine;
mod measure;
mod newer_suite;
mod programs;
mod project;
mod run;
mod scale;
mod serial_distributor;
mod small;
mod stats;
mod table;
mod task;
mod tasks;
mod test;
mod watched;

use std::process::ExitCode;

/// Errors are texts for people: a task is a script, and nobody matches on its failures.
type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match task::dispatch(tasks::TASKS, "cargo xtask", &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: error: {message}");
            ExitCode::FAILURE
        }
    }
}
