//! An engine is brought up on new data, tried, and ended.

use crate::Result;
use crate::figures::checks::Checks;
use crate::host::files;
use crate::host::project::Home;

use super::counted::Door;
use super::kind::{Engine, HOME};
use super::running::Running;
use super::subject::Place;
use super::{bazel_remote, buildbarn, casd};

const ENGINES: &[Engine] = &[casd::ENGINE, buildbarn::ENGINE, bazel_remote::ENGINE];

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

pub(super) fn home(engine: &Engine) -> Result<Home> {
    Home::open(&format!("{HOME}/{}", engine.name))
}
