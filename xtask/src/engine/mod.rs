//! Real engines of the Remote Execution API, from packages of registries, on the loopback interface only.
//!
//! `cargo xtask engine NAME start` brings one up and says how to use it, `stop` ends it, and `engine check` tries thindist
//! against each. None of their code is in this repository.

mod bazel_remote;
mod buildbarn;
mod casd;
mod check;
mod counted;
mod running;
pub(crate) mod subject;
mod together;

use std::path::Path;
use std::process::Command;

use crate::checks::Checks;
use crate::project::Home;
use crate::task::{Task, dispatch};
use crate::{Result, files};

use counted::Door;
use running::Running;
use subject::Place;

/// Below this directory of `target/` each engine has one of its own.
const HOME: &str = "engine";

/// One engine.
struct Engine {
    name: &'static str,
    /// Whether it executes actions, or is a cache only.
    executes: bool,
    /// Installs what is missing into its home.
    provide: fn(&Home) -> Result<()>,
    /// How many ports it takes; the first is for clients.
    ports: usize,
    /// What is started: its home, where it keeps data, its ports.
    processes: fn(&Home, &Path, &[u16]) -> Result<Vec<Process>>,
    /// Whether, when it listens, it is complete.
    ready: fn(&[u16]) -> bool,
    /// Where its data has each blob as a file, if it has.
    blobs: Option<&'static str>,
    /// Whether its workers see this machine's files, and it runs an action once that several ask for at a time.
    merges_on_this_machine: bool,
}

/// A process of an engine.
struct Process {
    /// Names its log.
    name: String,
    command: Command,
}

impl Process {
    fn new(name: &str, command: Command) -> Self {
        Self { name: name.to_owned(), command }
    }
}

const ENGINES: &[Engine] = &[casd::ENGINE, buildbarn::ENGINE, bazel_remote::ENGINE];

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

/// Tries each of the engines that are named, or all, with new data and a door at which bytes are counted.
pub(crate) fn on_each(
    names: &[String],
    checks: &mut Checks,
    mut trial: impl FnMut(&Place<'_>, &mut Checks) -> Result<()>,
) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| ENGINES.iter().all(|engine| engine.name != **name)) {
        return Err(format!("there is no engine `{unknown}`"));
    }
    for engine in ENGINES.iter().filter(|engine| names.is_empty() || names.iter().any(|name| name == engine.name)) {
        if let Err(error) = on(engine, |place| trial(place, checks)) {
            checks.record(engine.name, Err(error));
        }
    }
    Ok(())
}

/// One engine that works for two, on new data.
pub(crate) fn on_buildbarn<T>(trial: impl FnOnce(&Place<'_>) -> Result<T>) -> Result<T> {
    on(&buildbarn::ENGINE, trial)
}

/// The engine that is one process, on new data.
pub(crate) fn on_casd<T>(trial: impl FnOnce(&Place<'_>) -> Result<T>) -> Result<T> {
    on(&casd::ENGINE, trial)
}

fn on<T>(engine: &Engine, trial: impl FnOnce(&Place<'_>) -> Result<T>) -> Result<T> {
    let home = home(engine)?;
    (engine.provide)(&home)?;
    let data = home.dir.join("check-data");
    files::remove_dir(&data)?;
    let running = Running::start(engine, &home, &data)?;
    let outcome = Door::open(running.port()).and_then(|door| {
        let blobs = engine.blobs.map(|blobs| data.join(blobs));
        let (executes, merges) = (engine.executes, engine.merges_on_this_machine);
        trial(&Place { engine: engine.name, executes, merges_on_this_machine: merges, door, blobs })
    });
    running.stop()?;
    outcome
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

fn home(engine: &Engine) -> Result<Home> {
    Home::open(&format!("{HOME}/{}", engine.name))
}
