//! `thindist final-link --list FILE -- <lld arguments>`: the output of the link from existing native objects.
//!
//! The line is the thin link's. What it read has to be as the thin link saw it. Of bitcode only that it is bitcode is looked
//! at: the thin link has left what is needed of its symbols. The output is written only if it changes.

use super::{FINAL_SUFFIX, with_suffix};
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::finish::final_link::{self, Linked};
use crate::finish::native_objects;
use crate::finish::parts::Parts;
use crate::inputs::survey::Survey;
use crate::pipeline;
use crate::session::doubts;
use crate::session::output_files;
use crate::session::stats::{Stats, Timer};
use crate::session::workspace::Session;
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::formats::final_file::FinalFile;

const AGAIN: &str = "run `thindist thin-link` again with this line and list";

/// The final link of the line `words`, whose thin link has left `list`.
pub fn final_link(environment: &Environment, words: Vec<OsString>, list: &Path) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (session, survey) = super::open(&mut settings, words)?;
    let outcome = finish(&session, &survey, list).map(|()| ExitCode::SUCCESS);
    session.finish(outcome)
}

fn finish(session: &Session, survey: &Survey, list: &Path) -> Result<()> {
    let mut timer = Timer::start();
    let mut stats = Stats::of(session.line.output());
    let file = read(session, &with_suffix(list, FINAL_SUFFIX))?;
    check_bitcode(survey, &file)?;
    check_inputs(session, survey, &file)?;
    let modules = file.modules.iter().map(|module| (module.identifier.as_str(), Path::new(&module.native)));
    modules.clone().try_for_each(|(identifier, native)| expect_native(identifier, native))?;
    let natives = native_objects::files(session, modules)?;
    let regular = file.regular_object.as_deref().map(std::path::absolute).transpose();
    let regular = regular.map_err(|error| io("find", list, &error))?;
    let parts = Parts {
        trace: &file.trace,
        bitcode: &file.bitcode,
        regular_object: regular.as_deref(),
        natives: &natives,
        said: &[],
        doubts: doubts::Doubts::Shown,
    };
    install(session, &final_link::run(session, survey, &parts).map_err(pipeline::only_in_process)?)?;
    stats.modules = file.modules.len();
    timer.phase("final_link");
    session.workspace.record(stats, &timer);
    Ok(())
}

fn read(session: &Session, path: &Path) -> Result<FinalFile> {
    let bytes = std::fs::read(path)
        .map_err(|error| io("read", path, &error).hint("run `thindist thin-link` with this line and list first"))?;
    let file = FinalFile::parse(&bytes, session.line.words(), env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(format_args!("{}: {error}", path.display())).hint(AGAIN))?;
    if file.lld != session.lld.identity(&session.workspace.state)? {
        return Err(Failure::new(format_args!(
            "{} is another lld than the one that {} is of",
            session.lld.path.display(),
            path.display()
        ))
        .hint(AGAIN));
    }
    Ok(file)
}

/// What was bitcode then is native in the final line of now, or the other way round, if it is not any more.
fn check_bitcode(survey: &Survey, file: &FinalFile) -> Result<()> {
    let now: BTreeSet<&str> = survey.bitcode().into_keys().collect();
    let then: BTreeSet<&str> = file.bitcode.candidates.keys().map(String::as_str).collect();
    match now.symmetric_difference(&then).next() {
        None => Ok(()),
        Some(other) => {
            let was = if then.contains(other) { "was bitcode" } else { "was not bitcode" };
            Err(Failure::new(format_args!("{other} {was} when the thin link saw it")).hint(AGAIN))
        }
    }
}

/// An object or archive with other symbols could have selected other modules.
fn check_inputs(session: &Session, survey: &Survey, file: &FinalFile) -> Result<()> {
    let known: BTreeSet<&Path> = file.inputs.iter().map(|input| Path::new(&input.path)).collect();
    let bitcode: BTreeSet<PathBuf> = survey.bitcode_files().collect();
    // A library that is found at another place now, for one.
    if let Some(new) = survey.files().iter().find(|path| !known.contains(path.as_path()) && !bitcode.contains(*path)) {
        return Err(Failure::new(format_args!("{} was not an input of the thin link", new.display())).hint(AGAIN));
    }
    let now = session.workspace.digest(file.inputs.iter().map(|input| PathBuf::from(&input.path)).collect())?;
    for input in &file.inputs {
        if now.get(Path::new(&input.path)).is_none_or(|(content, _)| *content != input.content) {
            return Err(Failure::new(format_args!("{} has changed since the thin link", input.path)).hint(AGAIN));
        }
    }
    Ok(())
}

fn expect_native(identifier: &str, native: &Path) -> Result<()> {
    if native.is_file() {
        return Ok(());
    }
    Err(Failure::new(format_args!("{}, the native object of {identifier}, is missing", native.display()))
        .hint("run `thindist backend` for its job file"))
}

/// What uses the output looks at its time.
fn install(session: &Session, linked: &Linked) -> Result<()> {
    let output = Path::new(session.line.output());
    match &linked.file {
        Some(file) if output_files::same(file, output)? => Ok(()),
        _ => linked.install(session),
    }
}
