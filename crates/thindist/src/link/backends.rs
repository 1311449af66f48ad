//! From bitcode and indexes to native objects: candidates read, plan made, stores asked, the rest compiled.

use super::extra_inputs::NamedFiles;
use super::imported;
use super::lld_run;
use super::parallel;
use super::session::{InputDigests, Session, cores};
use super::stop::Stop;
use super::survey::{Content, Place, Survey};
use super::thin_step::{self, ThinLink};
use crate::failure::{Failure, Result, io};
use crate::progress::Progress;
use crate::stats::BackendCounts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thindist_core::backend_flags::{LinkFlags, is_proven};
use thindist_core::bitcode::{self, ModuleFacts};
use thindist_core::digest::Digest;
use thindist_core::link_line::{Refusal, Warnings};
use thindist_core::plan::{self, Backend, Module, Plan};
use thindist_exec::schedule::{Limits, look_up, run_all};
use thindist_exec::{
    Job, LocalExecutor, MakeJobserver, MemoryBudget, NativeObject, Origin, Outcome, Slots, Source, WarmCompiler,
};

/// With fewer backends than this to run, a loaded compiler does not pay for its own start.
const WORTH_WARMING: usize = 4;

/// A bitcode input that the thin link may select.
#[derive(Debug)]
pub(crate) struct Candidate {
    module: Module,
    source: Source,
    /// How lld's trace names it.
    trace_name: String,
}

/// Everything that the executor and the final link need of the plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) jobs: Vec<Job>,
    /// Regular LTO's object belongs into the final link.
    pub(crate) has_regular_part: bool,
    /// Symbols that linked bitcode defines weakly or commonly.
    pub(crate) yielding: BTreeSet<String>,
    /// Files that assembly named.
    pub(crate) named_files: Vec<PathBuf>,
    /// Imported identifiers of each job, by rank: for diagnostics.
    imported: Vec<Vec<String>>,
}

impl Planned {
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }
}

/// Reads every bitcode input, so that a bad one is named before any tool meets it.
pub(crate) fn read_candidates(session: &Session, survey: &Survey, inputs: &InputDigests) -> Result<Vec<Candidate>> {
    check_member_names(survey)?;
    let places: Vec<(&str, (&str, Place))> = survey.bitcode().into_iter().collect();
    session.make_directory("members")?;
    let read = |(number, (identifier, (trace_name, place))): &(usize, (&str, (&str, Place)))| {
        read_candidate(session, inputs, *number, identifier, trace_name, place)
    };
    let numbered: Vec<_> = places.into_iter().enumerate().collect();
    let candidates = parallel::map(&numbered, read)?;
    plan::check_machines(candidates.iter().map(|candidate| &candidate.module)).map_err(mixed_targets)?;
    Ok(candidates)
}

fn mixed_targets(error: plan::MixedTriples) -> Failure {
    Failure::new(error).hint("compile every file of a link for one target")
}

fn read_candidate(
    session: &Session,
    inputs: &InputDigests,
    number: usize,
    identifier: &str,
    trace_name: &str,
    place: &Place,
) -> Result<Candidate> {
    let bytes = place.read()?;
    let facts = read_facts(session, identifier, &bytes)?;
    let (digest, source) = match place {
        Place::File(path) => {
            let (digest, stamp) = inputs
                .get(path)
                .copied()
                .ok_or_else(|| Failure::new(format_args!("{} was not hashed", path.display())))?;
            let path = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
            (digest, Source::File { path, stamp: Some(stamp) })
        }
        Place::Part { .. } => {
            let path = session.path(format!("members/{number}.bc"));
            std::fs::write(&path, &bytes).map_err(|error| io("write", &path, &error))?;
            (Digest::of(&bytes), Source::File { path, stamp: None })
        }
    };
    Ok(Candidate {
        module: Module { identifier: identifier.to_owned(), facts, bitcode: digest },
        source,
        trace_name: trace_name.to_owned(),
    })
}

fn read_facts(session: &Session, identifier: &str, bytes: &[u8]) -> Result<ModuleFacts> {
    let facts = bitcode::read_module(bytes).map_err(|error| {
        Failure::new(format_args!("{identifier}: {error}")).hint("the file is damaged or cut short; compile it again")
    })?;
    match facts.llvm_major {
        Some(major) if major > session.lld.major => Err(Failure::new(format_args!(
            "{identifier}: bitcode of LLVM {major} ({}), but {} is of LLVM {}",
            facts.producer,
            session.lld.path.display(),
            session.lld.major
        ))
        .hint(format_args!(
            "link with lld {major} (THINDIST_LLD=ld.lld-{major}), or compile with clang {}",
            session.lld.major
        ))),
        _ => Ok(facts),
    }
}

/// A regular archive's member is no path. One that is could lead anywhere.
fn check_member_names(survey: &Survey) -> Result<()> {
    for surveyed in &survey.inputs {
        let Content::Archive(archive) = &surveyed.content else { continue };
        for member in archive.members.iter().filter(|member| matches!(member.place, Place::Part { .. })) {
            let climbs = member.name.split('/').any(|component| component == "..");
            if climbs || member.name.starts_with('/') {
                return Err(Failure::new(format_args!(
                    "{}: the member `{}` has a path for a name that leads out of the archive",
                    surveyed.path, member.name
                ))
                .hint("make the archive again from plain file names"));
            }
        }
    }
    Ok(())
}

/// Makes the plan.
pub(crate) fn plan(
    session: &Session,
    flags: &LinkFlags,
    candidates: Vec<Candidate>,
    thin: &ThinLink,
) -> std::result::Result<Planned, Stop> {
    let trace: BTreeSet<&str> = thin.trace.iter().map(String::as_str).collect();
    let has_regular_part = candidates
        .iter()
        .any(|candidate| candidate.module.facts.has_regular_part && trace.contains(candidate.trace_name.as_str()));
    let linked = candidates.iter().filter(|candidate| trace.contains(candidate.trace_name.as_str()));
    let yielding = linked.flat_map(|candidate| candidate.module.facts.yielding.iter().cloned()).collect();
    let mut by_identifier: BTreeMap<String, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.module.identifier.clone(), candidate)).collect();
    let (mut modules, mut sources) = (Vec::new(), Vec::new());
    for selected in &thin.modules {
        let candidate = by_identifier
            .remove(&selected.identifier)
            .ok_or_else(|| Stop::Refused(thin_step::unknown_module(&selected.identifier)))?;
        modules.push(candidate.module);
        sources.push(candidate.source);
    }
    plan::check_triples(&modules).map_err(mixed_targets)?;
    if let Some(module) = modules.iter().find(|module| !is_proven(&module.facts.triple)) {
        let reason = "separate backends are not proven to give the bytes of in-process ones for this target".to_owned();
        return Err(Stop::Refused(Refusal { option: format!("target {}", module.facts.triple), reason }));
    }
    let mut named = NamedFiles::default();
    let mut planned =
        Planned { jobs: Vec::new(), has_regular_part, yielding, named_files: Vec::new(), imported: Vec::new() };
    let plan = Plan::new(&modules, flags, session.clang.identity);
    let mut indexes = Vec::with_capacity(modules.len());
    for (position, selected) in thin.modules.iter().enumerate() {
        let bytes = std::fs::read(&selected.index).map_err(|error| io("read", &selected.index, &error))?;
        indexes.push((plan.imports(position, &bytes).map_err(stop)?, bytes));
    }
    let facts = imported::facts(session, indexes.iter().map(|(imports, _)| imports), &modules, &sources)?;
    for (selected, (imports, index)) in thin.modules.iter().zip(indexes) {
        let draft = plan.draft(&imports, &index, &facts).map_err(stop)?;
        let extra_inputs = named.resolve(session, &selected.identifier, &draft.named_files)?;
        let backend = plan.backend(draft, extra_inputs).map_err(stop)?;
        planned.imported.push(identifiers(&modules, &backend.imports));
        planned.jobs.push(job(&selected.identifier, backend, &sources, &named)?);
    }
    planned.named_files = named.paths().collect();
    Ok(planned)
}

fn stop(error: plan::PlanError) -> Stop {
    match error {
        plan::PlanError::Refused(refusal) => Stop::Refused(refusal),
        other => Stop::Failed(Failure::new(other)),
    }
}

fn identifiers(modules: &[Module], positions: &[usize]) -> Vec<String> {
    positions.iter().filter_map(|position| modules.get(*position)).map(|module| module.identifier.clone()).collect()
}

/// Adds to an action where its inputs are on this host.
fn job(identifier: &str, backend: Backend, sources: &[Source], named: &NamedFiles) -> Result<Job> {
    let source = |position: &usize| {
        sources
            .get(*position)
            .cloned()
            .ok_or_else(|| Failure::new(format_args!("{identifier}: no source of module {position}")))
    };
    let extra = |path: &str| {
        let absolute = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
        Ok::<_, Failure>(Source::File { path: absolute, stamp: named.stamp(path) })
    };
    Ok(Job {
        name: identifier.to_owned(),
        module: source(&backend.module)?,
        index: Source::Bytes(Arc::from(backend.index)),
        imports: backend.imports.iter().map(source).collect::<Result<_>>()?,
        extra_inputs: backend.action.extra_inputs.iter().map(|input| extra(&input.path)).collect::<Result<_>>()?,
        action: backend.action,
    })
}

/// The native object of every module, in the plan's order.
pub(crate) fn build(session: &Session, planned: &Planned, counts: &mut BackendCounts) -> Result<Vec<NativeObject>> {
    let keys: Vec<Digest> = planned.jobs.iter().map(|job| job.action.key()).collect();
    let found = look_up(&session.cas, &session.action_cache, &keys, cores());
    let missing: Vec<usize> =
        found.iter().enumerate().filter(|(_, found)| found.is_none()).map(|(index, _)| index).collect();
    let jobs: Vec<Job> = missing.iter().filter_map(|index| planned.jobs.get(*index)).cloned().collect();
    let mut outcomes = execute(session, &jobs, planned.len())?.into_iter();
    let mut natives = Vec::with_capacity(planned.len());
    let mut failures = Vec::new();
    for (index, found) in found.into_iter().enumerate() {
        let outcome = found.map(Outcome::Success).or_else(|| outcomes.next());
        match outcome {
            Some(Outcome::Success(native)) => {
                *count(counts, native.from) += 1;
                natives.push(native);
            }
            other => failures.push((index, other)),
        }
    }
    if !failures.is_empty() {
        return Err(report_failures(session, planned, &failures));
    }
    tell_warnings(session, &warnings(planned, &natives))?;
    Ok(natives)
}

/// Runs the backends at `gone` again, whose native objects have gone from the CAS since [`build`].
pub(crate) fn build_again(
    session: &Session,
    planned: &Planned,
    gone: &[usize],
    natives: &mut [NativeObject],
    counts: &mut BackendCounts,
) -> Result<()> {
    let jobs: Vec<Job> = gone.iter().filter_map(|index| planned.jobs.get(*index)).cloned().collect();
    let mut failures = Vec::new();
    for (index, outcome) in gone.iter().zip(execute(session, &jobs, planned.len())?) {
        match (outcome, natives.get_mut(*index)) {
            (Outcome::Success(native), Some(place)) => {
                // What was taken from the action cache turned out to be none of its hits.
                if place.from == Origin::LocalCache {
                    counts.local_cache -= 1;
                }
                *count(counts, native.from) += 1;
                *place = native;
            }
            (outcome, _) => failures.push((*index, Some(outcome))),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(report_failures(session, planned, &failures)) }
}

fn count(counts: &mut BackendCounts, from: Origin) -> &mut usize {
    match from {
        Origin::Executed => &mut counts.executed,
        Origin::LocalCache => &mut counts.local_cache,
    }
}

fn execute(session: &Session, jobs: &[Job], modules: usize) -> Result<Vec<Outcome>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let slot_count = session.settings.count("slots")?.unwrap_or_else(cores);
    let slots = Slots::open(session.settings.get("slots_dir").map(Path::new), slot_count)?;
    let max_jobs = session.settings.count("jobs")?.or_else(|| session.line.jobs()).unwrap_or_else(cores);
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let estimates = session.state.estimates(&names);
    let executor = LocalExecutor {
        compiler: session.clang.path.clone(),
        environment: backend_environment(),
        work_dir: session.make_directory("work")?,
        cas: session.cas.clone(),
        warm: warm_compiler(session, jobs.len())?,
    };
    let progress = Progress::new(modules, modules - jobs.len(), &estimates, max_jobs.min(slot_count));
    let limits =
        Limits { max_jobs, slots: &slots, jobserver: MakeJobserver::from_env(), memory: MemoryBudget::Measured };
    let outcomes =
        run_all(jobs, &estimates, &executor, &session.action_cache, limits, &progress, session.interrupt.token());
    progress.close();
    let runs = names.into_iter().zip(&outcomes).filter_map(|(name, outcome)| match outcome {
        Outcome::Success(native) => native.estimate.map(|estimate| (name, estimate)),
        _ => None,
    });
    session.state.remember_runs(&runs.collect::<Vec<_>>());
    Ok(outcomes)
}

/// The compiler, kept loaded, unless starting it would take longer than it saves.
fn warm_compiler(session: &Session, jobs: usize) -> Result<Option<WarmCompiler>> {
    if jobs < WORTH_WARMING || session.settings.get("warm") == Some("0") {
        return Ok(None);
    }
    Ok(WarmCompiler::start(&session.clang.path, &backend_environment(), &session.make_directory("warm")?))
}

/// Warnings of the backends are the link's, as they are in-process.
fn tell_warnings(session: &Session, warnings: &[String]) -> Result<()> {
    match session.line.warnings() {
        Warnings::Silent => return Ok(()),
        Warnings::Shown | Warnings::Fatal => lld_run::print(warnings),
    }
    if session.line.warnings() == Warnings::Fatal && !warnings.is_empty() {
        return Err(Failure::new("a backend has warned, and --fatal-warnings makes that an error"));
    }
    Ok(())
}

/// What a compiler may see of our environment: how it is loaded, nothing else.
fn backend_environment() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    ["LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?))).collect()
}

/// Warnings of the backends, each once, as in-process lld prints them.
pub(crate) fn warnings(planned: &Planned, natives: &[NativeObject]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let jobs = planned.jobs.iter().zip(&planned.imported).zip(natives);
    let lines = jobs.flat_map(|((job, imported), native)| diagnostics(&native.stderr, &job.name, imported));
    lines.filter(|line| seen.insert(line.clone())).map(|line| format!("thindist: {line}")).collect()
}

/// The compiler's lines with module identifiers for the action root's names, without its own count of them.
fn diagnostics(stderr: &[u8], own: &str, imported: &[String]) -> Vec<String> {
    let imported: Vec<&str> = imported.iter().map(String::as_str).collect();
    lld_run::lines(stderr)
        .into_iter()
        .filter(|line| !line.ends_with(" generated."))
        .map(|line| plan::explain_names(&line, own, &imported))
        .collect()
}

/// Says what failed: the first compiler's own words, or what kept it from running.
fn report_failures(session: &Session, planned: &Planned, failures: &[(usize, Option<Outcome>)]) -> Failure {
    let failed = failures.iter().find_map(|(index, outcome)| {
        let (job, imported) = (planned.jobs.get(*index)?, planned.imported.get(*index)?);
        match outcome.as_ref()? {
            Outcome::CompileFailed { status, stderr } => {
                let text = diagnostics(stderr, &job.name, imported);
                text.iter().for_each(|line| eprintln!("thindist: {line}"));
                let what = format!("the backend of {} failed: {} {status}", job.name, session.clang.path.display());
                Some(Failure::new(what).hint(if lld_run::says_full(stderr) {
                    lld_run::FREE_SPACE
                } else {
                    "nothing of it was stored, and the output was not touched"
                }))
            }
            Outcome::InfraFailed { message } => {
                let full = lld_run::says_full(message.as_bytes());
                let failure = Failure::new(format_args!("the backend of {} could not be run: {message}", job.name));
                Some(if full { failure.hint(lld_run::FREE_SPACE) } else { failure })
            }
            Outcome::TimedOut => Some(Failure::new(format_args!("the backend of {} took too long", job.name))),
            Outcome::Success(_) | Outcome::Cancelled => None,
        }
    });
    failed.unwrap_or_else(|| Failure::new("interrupted"))
}
