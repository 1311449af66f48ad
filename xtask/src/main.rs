//! `cargo xtask <task>`: everything that people and CI run on this project, as one table of tasks.
//!
//! A task knows how to install what it needs, so a fresh machine needs Rust, gcc and make, and nothing else.
//! What a task makes stays below `target/`.

mod bench;
mod command;
mod corpus;
mod demo;
mod dist;
mod docs;
mod engine;
mod figures;
mod fuzz;
mod host;
mod kernel;
mod links;
mod lld_tests;
mod matrix;
mod programs;
mod random_edits;
mod test;

use std::process::ExitCode;

use command::{task, tasks};

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
