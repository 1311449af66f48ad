//! A thin link that a build asks for alone (`--thinlto-index-only=LIST`), to run the backends itself, as kernel 7.2
//! does.
//!
//! lld writes every index anew at each thin link, and an index holds the hash of every module that it imports from. A build
//! system that compares times then runs each backend after any edit (all 1,027 of a kernel). Here lld writes into the
//! link's own directory; beside the modules go the same indexes without what no native object depends on, and only those
//! that have changed. Any compiler takes them for lld's, and makes the same objects.

use crate::failure::{Result, io};
use crate::inputs::survey::Survey;
use crate::inputs::words::ForLld;
use crate::pipeline;
use crate::plan::planning::{self, Selected};
use crate::session::output_files;
use crate::session::stats::{Stats, Timer};
use crate::session::workspace::Session;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::thin::thin_link::{self, ThinLink};
use crate::ways::hand_over;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::lld::link_line::LinkLine;

const INDEX: &str = ".thinlto.bc";
const IMPORTS: &str = ".imports";

/// Does the thin link of `line`, which [`LinkLine::index_only`] is of.
pub(crate) fn run(settings: Settings, line: LinkLine, survey: &Survey, lld: &Path, words: &ForLld) -> Result<ExitCode> {
    // An index has room for one hash, and that has to tell of what is imported.
    settings.reject_beyond_in_process("a thin link for a build's own backends")?;
    let left_to_lld = |refusal| hand_over::leave_to_lld(&settings, lld, words, &refusal, "lld writes the indexes");
    let session = match Session::open(settings.clone(), line, lld) {
        Ok(session) => session,
        Err(Stop::Refused(refusal)) => return left_to_lld(refusal),
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    match write(&session, survey) {
        Err(Stop::Refused(refusal)) => {
            // lld takes this process over: nothing of ours is cleaned up after that.
            session.finish(Ok(ExitCode::SUCCESS))?;
            left_to_lld(refusal)
        }
        Err(Stop::Failed(failure)) => session.finish(Err(failure)),
        Ok(()) => session.finish(Ok(ExitCode::SUCCESS)),
    }
}

fn write(session: &Session, survey: &Survey) -> std::result::Result<(), Stop> {
    pipeline::check_dependency_file(session)?;
    let mut timer = Timer::start();
    let inputs = session.digest_inputs(survey.files())?;
    let candidates = planning::read_candidates(session, survey, &inputs)?;
    timer.phase("plan");
    let thin = thin_link::run(session, survey, &inputs)?;
    timer.phase("thin_link");
    let Selected { modules, indexes } = planning::select(candidates, &thin)?;
    let plan = planning::planned_over(&modules, PromotedNames::Hash, &session.clang)?;
    let (indexes, facts) = planning::read_indexes(&session.workspace.state, &plan, indexes, &modules)?;
    for index in &indexes {
        let stable = plan.stable_index(&index.imports, &index.bytes, &facts).map_err(planning::stop)?;
        let path = beside(&modules[index.imports.module].module.identifier, INDEX);
        if stable.names_files {
            // Only its time can tell that such a file may have changed.
            output_files::write(&path, &stable.index)?;
        } else {
            output_files::write_if_changed(&path, &stable.index)?;
        }
    }
    write_the_rest(session, survey, &thin)?;
    write_list(session, &thin)?;
    timer.phase("plan");
    let mut stats = Stats::of(session.line.index_only().flatten().unwrap_or_default());
    stats.modules = modules.len();
    session.workspace.record(stats, &timer);
    Ok(())
}

/// Lists of imports, and the empty indexes of modules that are not selected.
fn write_the_rest(session: &Session, survey: &Survey, thin: &ThinLink) -> Result<()> {
    let selected: BTreeSet<&str> = thin.modules.iter().map(|module| module.identifier.as_str()).collect();
    for identifier in survey.bitcode().keys() {
        if !selected.contains(identifier) {
            copy(thin, identifier, INDEX)?;
        }
        if session.line.emits_imports() {
            copy(thin, identifier, IMPORTS)?;
        }
    }
    Ok(())
}

fn copy(thin: &ThinLink, identifier: &str, suffix: &str) -> Result<()> {
    let from = thin.beside(identifier, suffix);
    match std::fs::read(&from) {
        Ok(bytes) => output_files::write_if_changed(&beside(identifier, suffix), &bytes).map(drop),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("read", &from, &error)),
    }
}

/// Last, and always: its time says that all of this was done.
fn write_list(session: &Session, thin: &ThinLink) -> Result<()> {
    let Some(list) = session.line.index_only().flatten() else { return Ok(()) };
    let lines: String = thin.modules.iter().map(|module| format!("{}\n", module.identifier)).collect();
    output_files::write(Path::new(list), lines.as_bytes())
}

fn beside(identifier: &str, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{identifier}{suffix}"))
}
