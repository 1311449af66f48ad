//! One backend of an earlier link, laid out so that it can be run by hand.
//!
//! Nothing of it was kept: the link's plan is made again, and has the same key as long as the inputs are the same.

use crate::backends::what_ran::Link;
use crate::entrance::open;
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::inputs::survey::Survey;
use crate::pipeline;
use crate::session::stats::Timer;
use crate::session::workspace::Session;
use crate::settings::Settings;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_exec::ActionRoot;

/// A backend that is ready to run.
#[derive(Debug)]
pub struct Replay {
    /// Where it runs.
    pub directory: PathBuf,
    /// The compiler and its arguments.
    pub commands: Vec<Vec<String>>,
}

/// Lays out the action `key` of `link` below `target`. The working directory has to be the link's.
pub fn lay_out(environment: &Environment, link: &Link, key: &str, target: &Path) -> Result<Replay> {
    let mut settings = Settings::load(environment)?;
    // The line has been read already: what it had for us is in the settings that are remembered.
    link.settings.iter().try_for_each(|(name, value)| settings.set(name, value))?;
    let (session, survey) = open(&mut settings, link.words.iter().map(OsString::from).collect())?;
    let replay = materialize(&session, &survey, key, target);
    session.finish(Ok(ExitCode::SUCCESS))?;
    replay
}

fn materialize(session: &Session, survey: &Survey, key: &str, target: &Path) -> Result<Replay> {
    let inputs = session.digest_inputs(survey.files())?;
    let (_, planned) =
        pipeline::plan(session, survey, &inputs, &mut Timer::start()).map_err(pipeline::only_in_process)?;
    let mut jobs = planned.jobs.iter().map(|planned| &planned.job);
    let job = jobs.find(|job| job.action.key().hex() == key).ok_or_else(|| {
        Failure::new(format_args!("the link has no action {key} any more: its inputs or its tools have changed"))
            .hint("link again, and look at what ran then")
    })?;
    std::fs::create_dir_all(target).map_err(|error| io("create", target, &error))?;
    let root = ActionRoot::materialize(job, target).map_err(Failure::of)?;
    let directory: PathBuf = root.keep()?;
    let clang = session.clang.path.to_string_lossy().into_owned();
    let commands = job.action.runs().map(|run| [std::slice::from_ref(&clang), run].concat()).collect();
    Ok(Replay { directory, commands })
}
