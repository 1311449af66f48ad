//! Lays out one backend of a link so that it can be run by hand.
//!
//! Nothing of it was kept: the link's plan is made again, and has the same key as long as the inputs are the same.

use crate::ui;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::formats::build_graph::shell;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::pipeline;
use thindist_engine::settings::Settings;
use thindist_engine::stats::Timer;
use thindist_engine::survey::Survey;
use thindist_engine::what_ran::{Action, Link, Ran};
use thindist_engine::workspace::Session;
use thindist_exec::ActionRoot;

/// Below the current directory.
const DIRECTORY: &str = "thindist-reproduce";

/// Prints a command that runs the backend which `wanted` names, by the start of its key or by its module.
pub(super) fn run(environment: &Environment, rans: &[Ran], wanted: &str) -> Result<ExitCode> {
    let (link, action) = find(rans, wanted)?;
    let target = std::path::absolute(DIRECTORY).map_err(|error| io("find", DIRECTORY, &error))?;
    std::env::set_current_dir(&link.directory).map_err(|error| io("enter", &link.directory, &error))?;
    let mut settings = Settings::load(environment)?;
    // The line has been read already: what it had for us is in the settings that are remembered.
    link.settings.iter().try_for_each(|(name, value)| settings.set(name, value))?;
    let (session, survey) = thindist_engine::open(&mut settings, link.words.iter().map(OsString::from).collect())?;
    let command = lay_out(&session, &survey, &action.key, &target);
    let printed = command.map(|command| ui::print(&format!("{command}\n")));
    session.finish(printed.map(|()| ExitCode::SUCCESS))
}

fn find<'a>(rans: &'a [Ran], wanted: &str) -> Result<(&'a Link, &'a Action)> {
    let all = || rans.iter().flat_map(|ran| ran.actions.iter().map(move |action| (&ran.link, action)));
    let named: Vec<_> = all().filter(|(_, action)| action.module == wanted).collect();
    let meant =
        if named.is_empty() { all().filter(|(_, action)| action.key.starts_with(wanted)).collect() } else { named };
    match meant.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::new(format_args!("no action has the module or the key {wanted}"))
            .hint("`thindist what-ran` lists them")),
        [first, ..] if meant.iter().all(|(_, action)| action.key == first.1.key) => Ok(*first),
        _ => Err(Failure::new(format_args!("{} actions have a key that begins with {wanted}", meant.len()))
            .hint("give more of it")),
    }
}

/// The action's directory below `target`, and the command for it.
fn lay_out(session: &Session, survey: &Survey, key: &str, target: &Path) -> Result<String> {
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
    let mut words = vec![session.clang.path.to_string_lossy().into_owned()];
    words.extend(job.action.arguments.iter().cloned());
    Ok(format!("cd {} && {}", shell(&[directory.to_string_lossy().into_owned()]), shell(&words)))
}
