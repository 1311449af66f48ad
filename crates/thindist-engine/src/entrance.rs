//! The linker entrance: link line -> survey -> (memo) -> a way of driving lld.

use super::memo::Memo;
use super::pipeline::only_in_process;
use super::stop::Stop;
use super::ways;
use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::inputs::survey::Survey;
use crate::inputs::words::{ForLld, Words};
use crate::session::stats::{Stats, Timer};
use crate::session::tools::find_lld;
use crate::session::way::Way;
use crate::session::workspace::{InputDigests, Session};
use crate::settings::Settings;
use crate::ways::{builds_own, hand_over};
use std::ffi::OsString;
use std::process::ExitCode;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::link_line::{LinkLine, Refusal};

/// The linker entrance: `words` are the arguments after the name `called_as`, in this environment.
///
/// From the first link on SIGINT, SIGTERM and SIGHUP are this crate's: a link that one of them meets is given up, and the process then
/// ends by it. Between links nobody hears them.
pub fn run(environment: &Environment, called_as: &str, words: Vec<OsString>) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let words = Words::read(&mut settings, words)?;
    let lld = find_lld(&settings, called_as)?;
    let Words { for_lld: words, expanded: Some(expanded), .. } = words else {
        return Err(hand_over::exec(environment, &lld, &words.for_lld));
    };
    // What is wrong with a line lld says best.
    let Ok(line) = LinkLine::parse(&expanded) else { return Err(hand_over::exec(environment, &lld, &words)) };
    // lld packs what it reads for a report; the steps of a link would each overwrite the other's.
    let is_index_only = line.index_only().is_some();
    if line.is_immediate() && !is_index_only || environment.get("LLD_REPRODUCE").is_some() {
        return Err(hand_over::exec(environment, &lld, &words));
    }
    let (survey, readable) = Survey::of(&line);
    if !survey.has_bitcode() {
        return Err(hand_over::exec(environment, &lld, &words));
    }
    if is_index_only && readable.is_ok() {
        return builds_own::run(settings, line, &survey, &lld, &words);
    }
    let is_index_only = Way::forced(&settings)? == Some(Way::IndexOnly);
    let fallback = Stats::of_fallback(line.output(), survey.bitcode().len());
    let left_to_lld = |refusal: &Refusal| hand_over::fall_back(&settings, &lld, &words, refusal, &fallback);
    // An option may say that a file is not looked for under its name.
    let uncarried = match LinkFlags::of(&line).map_err(Stop::Refused).and(readable) {
        Err(Stop::Refused(refusal)) if ways::is_lld_alone(&line) => return left_to_lld(&refusal),
        Err(Stop::Refused(refusal)) => Some(refusal),
        Err(Stop::Failed(failure)) if is_index_only => return Err(failure),
        // An input that cannot be read.
        Err(Stop::Failed(_)) => return Err(hand_over::exec(environment, &lld, &words)),
        Ok(()) => None,
    };
    let session = match Session::open(settings.clone(), line, &lld) {
        Ok(session) => session,
        Err(Stop::Refused(refusal)) => return left_to_lld(&refusal),
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    if let Some(Err(failure)) = uncarried.as_ref().map(|refusal| hand_over::warn(&settings, refusal)) {
        return session.finish(Err(failure));
    }
    let inputs = match session.digest_inputs(survey.files()) {
        Ok(inputs) => inputs,
        Err(failure) if is_index_only => return session.finish(Err(failure)),
        // A file that is not there is lld's to report.
        Err(_) => {
            session.finish(Ok(ExitCode::SUCCESS))?;
            return Err(hand_over::exec(environment, &lld, &words));
        }
    };
    match link(&session, &survey, &inputs, &words, uncarried.as_ref()) {
        Err(Stop::Refused(refusal)) => {
            // lld takes this process over: nothing of ours is cleaned up after that.
            session.finish(Ok(ExitCode::SUCCESS))?;
            left_to_lld(&refusal)
        }
        Err(Stop::Failed(failure)) => session.finish(Err(failure)),
        Ok(()) => session.finish(Ok(ExitCode::SUCCESS)),
    }
}

/// The link as a linker does it: remembered, or done and remembered.
fn link(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    words: &ForLld,
    uncarried: Option<&Refusal>,
) -> std::result::Result<(), Stop> {
    let mut timer = Timer::start();
    let mut stats = Stats::of(session.line.output());
    let memo = Memo::of(session, inputs);
    if let Some(modules) = memo.restore(session)? {
        stats.modules = modules;
        stats.backends.memo = modules;
    } else {
        timer.phase("plan");
        ways::link(&ways::Line { session, survey, inputs, words, uncarried, memo: &memo }, &mut stats, &mut timer)?;
    }
    session.workspace.record(stats, &timer);
    Ok(())
}

/// A link of which something else than its output is wanted. One that separate backends cannot do is an error here.
pub(crate) fn open(settings: &mut Settings, words: Vec<OsString>) -> Result<(Session, Survey)> {
    let words = Words::read(settings, words)?;
    let expanded = words.expanded.ok_or_else(|| Failure::new("the line or a response file of it is no UTF-8"))?;
    let line = LinkLine::parse(&expanded).map_err(Failure::of)?;
    let (survey, readable) = Survey::of(&line);
    readable.map_err(only_in_process)?;
    let lld = find_lld(settings, "ld.thindist")?;
    Ok((Session::open(settings.clone(), line, &lld).map_err(only_in_process)?, survey))
}
