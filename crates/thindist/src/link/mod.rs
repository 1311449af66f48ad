//! One ThinLTO link through separate backends:
//! link line -> survey -> (memo) -> thin link -> plan -> look up -> execute -> final link.
//!
//! Each step is a file here; this one puts them in a row, and decides when lld does the whole link itself.

mod archives;
mod backends;
mod execution;
mod extra_inputs;
mod fat_objects;
mod final_step;
mod imported;
mod in_process;
mod index_only;
mod kept;
mod kind;
mod lld_run;
mod loaded;
mod memo;
mod native_objects;
mod native_side;
mod order;
mod overlap;
mod parallel;
mod placing;
mod recorded;
mod script_patterns;
mod scripts;
mod search;
mod session;
mod shown_names;
mod stop;
mod survey;
mod symbol_tables;
mod thin_step;
mod verify_sample;
mod visibility;
mod ways;
mod words;

use crate::failure::{Failure, Result};
use crate::remote::Tools;
use crate::settings::Settings;
use crate::stats::{Stats, Timer};
use native_objects::NativeObjects;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_core::backend_flags::LinkFlags;
use thindist_core::link_line::{LinkLine, Refusal, Warnings};
use thindist_exec::Job;

pub(crate) use archives::Place;
pub(crate) use backends::{Common, Planned, PlannedJobs, identifiers, job, mixed_targets, plan_jobs, read_facts};
pub(crate) use execution::{
    Batch, build as run_backends, build_again, build_while, count, outcomes, places_beside, report_failures, settle,
};
pub(crate) use extra_inputs::NamedFiles;
pub(crate) use final_step::{Linked, Parts, run as final_link};
pub(crate) use imported::facts as import_facts;
pub(crate) use kind::read_kind;
pub(crate) use lld_run::{lines, lld, print};
pub(crate) use loaded::files as native_files;
pub(crate) use native_objects::{files as native_object_files, gone_again};
pub(crate) use native_side::check_order;
pub(crate) use parallel::map as parallel_map;
pub(crate) use session::{InputDigests, Session, Workspace, cores};
pub(crate) use stop::Stop;
pub(crate) use survey::{Content, Survey};
pub(crate) use thin_step::ThinLink;
pub(crate) use verify_sample::share as verify_share;
pub(crate) use ways::{Ahead, MESSENGER, Way, check as check_way, harvest_ahead, tell as tell_linker};
use words::ForLld;
pub(crate) use words::Words;

/// The linker entrance: `words` are the arguments after the name `called_as`.
pub(crate) fn run(called_as: &str, words: Vec<OsString>) -> Result<ExitCode> {
    let mut settings = Settings::load()?;
    let words = Words::read(&mut settings, words)?;
    let lld = crate::tools::find_lld(&settings, called_as)?;
    let Words { for_lld: words, expanded: Some(expanded), .. } = words else {
        return Err(in_process::exec(&lld, &words.for_lld));
    };
    // What is wrong with a line lld says best.
    let Ok(line) = LinkLine::parse(&expanded) else { return Err(in_process::exec(&lld, &words)) };
    // lld packs what it reads for a report; the steps of a link would each overwrite the other's.
    let is_index_only = line.index_only().is_some();
    if line.is_immediate() && !is_index_only || std::env::var_os("LLD_REPRODUCE").is_some() {
        return Err(in_process::exec(&lld, &words));
    }
    let (survey, readable) = Survey::of(&line);
    if !survey.has_bitcode() {
        return Err(in_process::exec(&lld, &words));
    }
    if is_index_only && readable.is_ok() {
        return index_only::run(settings, line, &survey, &lld, &words);
    }
    let is_index_only = Way::forced(&settings)? == Some(Way::IndexOnly);
    let fallback = Stats::of_fallback(line.output(), survey.bitcode().len());
    let left_to_lld = |refusal: &Refusal| in_process::fall_back(&settings, &lld, &words, refusal, &fallback);
    // An option may say that a file is not looked for under its name.
    let uncarried = match LinkFlags::of(&line).map_err(Stop::Refused).and(readable) {
        Err(Stop::Refused(refusal)) if ways::is_lld_alone(&line) => return left_to_lld(&refusal),
        Err(Stop::Refused(refusal)) => Some(refusal),
        Err(Stop::Failed(failure)) if is_index_only => return Err(failure),
        // An input that cannot be read.
        Err(Stop::Failed(_)) => return Err(in_process::exec(&lld, &words)),
        Ok(()) => None,
    };
    if let Some(refusal) = &uncarried {
        in_process::warn(&settings, refusal)?;
    }
    let session = Session::open(settings.clone(), line, &lld)?;
    let inputs = match session.digest_inputs(&survey) {
        Ok(inputs) => inputs,
        Err(failure) if is_index_only => return session.finish(Err(failure)),
        // A file that is not there is lld's to report.
        Err(_) => {
            session.finish(Ok(ExitCode::SUCCESS))?;
            return Err(in_process::exec(&lld, &words));
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
    let memo = memo::Memo::of(session, inputs);
    if let Some(modules) = memo.restore(session)? {
        stats.modules = modules;
        stats.backends.memo = modules;
    } else {
        timer.phase("plan");
        ways::link(&ways::Line { session, survey, inputs, words, uncarried, memo: &memo }, &mut stats, &mut timer)?;
    }
    session.record(stats, &timer);
    Ok(())
}

/// What a distributed link gives, for comparison.
#[derive(Debug)]
pub(crate) struct Distributed {
    /// Each module's identifier and native object, in the thin link's order.
    pub(crate) natives: Vec<(String, PathBuf)>,
    /// The regular-LTO object, where some bitcode takes part in regular LTO.
    pub(crate) regular_object: Option<PathBuf>,
    /// The output, not in its place; `None` if it is not a regular file.
    pub(crate) output: Option<PathBuf>,
    /// What suffixes of promoted names in-process are here, where names are stable.
    pub(crate) new_suffixes: BTreeMap<String, String>,
}

/// The link without its memo and without putting the output in place.
pub(crate) fn distribute(
    session: &Session,
    survey: &Survey,
    stats: &mut Stats,
    timer: &mut Timer,
) -> std::result::Result<Distributed, Stop> {
    let inputs = session.digest_inputs(survey)?;
    let (planned, linked, natives) = build(session, survey, &inputs, Doubts::Shown, stats, timer)?;
    let names = planned.jobs.iter().map(|job| job.name.clone());
    Ok(Distributed {
        natives: names.zip(natives.files.into_iter().map(|file| file.path)).collect(),
        regular_object: planned.has_regular_part.then(|| session.path("thin/regular.o")),
        output: linked.file,
        new_suffixes: planned.new_suffixes,
    })
}

/// Thin link and plan.
pub(crate) fn plan(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    timer: &mut Timer,
) -> std::result::Result<(ThinLink, Planned), Stop> {
    plan_telling(session, survey, inputs, timer, &mut |_| {})
}

/// The same; `planned` hears of each job as soon as it is made.
fn plan_telling(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    timer: &mut Timer,
    planned: &mut dyn FnMut(&Job),
) -> std::result::Result<(ThinLink, Planned), Stop> {
    let flags = LinkFlags::of(&session.line).map_err(Stop::Refused)?;
    let candidates = backends::read_candidates(session, survey, inputs)?;
    timer.phase("plan");
    let thin = thin_step::run(session, survey)?;
    timer.phase("thin_link");
    let planned = backends::plan(session, &flags, candidates, &thin, planned)?;
    timer.phase("plan");
    Ok((thin, planned))
}

/// A link of which something else than its output is wanted. One that separate backends cannot do is an error here.
pub(crate) fn open(settings: &mut Settings, words: Vec<OsString>) -> Result<(Session, Survey)> {
    let words = Words::read(settings, words)?;
    let expanded = words.expanded.ok_or_else(|| Failure::new("the line or a response file of it is not UTF-8"))?;
    let line = LinkLine::parse(&expanded).map_err(Failure::new)?;
    let (survey, readable) = Survey::of(&line);
    readable.map_err(only_in_process)?;
    let lld = crate::tools::find_lld(settings, "ld.thindist")?;
    Ok((Session::open(settings.clone(), line, &lld)?, survey))
}

/// Why separate backends cannot do a link, as an error.
pub(crate) fn only_in_process(stop: Stop) -> Failure {
    match stop {
        Stop::Refused(refusal) => Failure::new(refusal).hint("such a link is done in-process and has no backends"),
        Stop::Failed(failure) => failure,
    }
}

/// The plan of a link that lld does meanwhile, or why there is none. Says nothing, and needs nobody.
fn plan_beside(session: &Session, survey: &Survey, inputs: &InputDigests) -> Result<(ThinLink, Planned)> {
    let refused = |stop: Stop| match stop {
        Stop::Refused(refusal) => Failure::new(refusal),
        Stop::Failed(failure) => failure,
    };
    let flags = LinkFlags::of(&session.line).map_err(Failure::new)?;
    let candidates = backends::read_candidates(session, survey, inputs)?;
    if candidates.iter().any(backends::Candidate::has_regular_part) {
        return Err(Failure::new("regular LTO would run a second time"));
    }
    let thin = thin_step::run_silently(session, survey).map_err(refused)?;
    let planned = backends::plan(session, &flags, candidates, &thin, &mut |_| {}).map_err(refused)?;
    Ok((thin, planned))
}

/// What becomes of a link that may come out otherwise than in-process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubts {
    /// lld has to do it.
    Refused,
    /// It is done: whoever wants it compares it, or has asked for these very steps.
    Shown,
}

impl Doubts {
    /// Of a link for its user.
    fn of(session: &Session) -> Result<Self> {
        let is_in_process = session.settings.beyond_in_process()?.is_empty() && !session.settings.is_on("unlisted");
        Ok(if is_in_process { Self::Refused } else { Self::Shown })
    }
}

/// Thin link, plan, backends, final link.
fn build(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    doubts: Doubts,
    stats: &mut Stats,
    timer: &mut Timer,
) -> std::result::Result<(Planned, Linked, NativeObjects), Stop> {
    let places = execution::places_beside(session, session.line.jobs())?;
    let tools = Tools { settings: &session.settings, state: &session.state, compiler: &session.clang.path };
    let (thin, planned) = session
        .remote
        .while_planning(tools, places, |planned| plan_telling(session, survey, inputs, timer, planned))?;
    let (linked, natives) = finish(session, survey, &thin, &planned, doubts, stats, timer)?;
    Ok((planned, linked, natives))
}

/// Backends and final link.
fn finish(
    session: &Session,
    survey: &Survey,
    thin: &ThinLink,
    planned: &Planned,
    doubts: Doubts,
    stats: &mut Stats,
    timer: &mut Timer,
) -> std::result::Result<(Linked, NativeObjects), Stop> {
    stats.modules = planned.len();
    let natives = native_objects::build(session, planned, &mut stats.backends)?;
    kept::keep(session, planned, &natives.objects)?;
    timer.phase("backends");
    let parts = Parts {
        trace: &thin.trace,
        bitcode: &planned.bitcode,
        regular_object: planned.has_regular_part.then_some(thin.regular_object.as_path()),
        natives: &natives.files,
        said: &thin.diagnostics,
        doubts,
    };
    let mut linked = final_step::run(session, survey, &parts)?;
    if session.line.warnings() != Warnings::Silent {
        linked.diagnostics.extend(execution::warnings(&planned.batch(session), &natives.objects));
    }
    timer.phase("final_link");
    Ok((linked, natives))
}
