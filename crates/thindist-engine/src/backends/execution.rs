//! Obtains native objects: asks the stores, compiles the rest, and reports failures and warnings as a linker does.
//!
//! It knows jobs and nothing of the link that they are from.

use crate::backends::jobs::{Ended, Made, PlannedJob};
use crate::backends::what_ran::Line;
use crate::failure::{Failure, Result};
use crate::parallel::cores;
use crate::session::lld_run;
use crate::session::progress::Progress;
use crate::session::remote::{self, Tools};
use crate::session::stats::BackendCounts;
use crate::session::workspace::Workspace;
use crate::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;
use thindist_core::action_files::LINK_FILE_NAMES;
use thindist_core::lld::link_line::Warnings;
use thindist_core::plan;
use thindist_exec::{
    Estimate, Job, Limits, LocalExecutor, LocalLane, MakeJobserver, MemoryBudget, NativeObject, Origin, Outcome, Slots,
    Source, WarmCompiler, Work, jobs_told, look_up, run_all, scratch,
};
use thindist_remote::{Hybrid, IN_FLIGHT, Policy, RemoteExecutor, WAITING};

/// With fewer backends than this to run, a loaded compiler does not pay for its own start.
const WORTH_WARMING: usize = 4;

/// Jobs that belong together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The stores, settings and cancellation of the run that compiles.
    pub workspace: &'a Workspace,
    /// The clang that runs the backends.
    pub compiler: &'a Path,
    /// At most so many at a time, unless a setting says otherwise.
    pub max_jobs: Option<usize>,
    /// What becomes of the compiler's warnings.
    pub warnings: Warnings,
    /// The backends, in the plan's order.
    pub jobs: &'a [PlannedJob],
    /// The link, if what ran for it is to be remembered.
    pub line: Option<Line<'a>>,
}

impl<'a> Batch<'a> {
    fn tools(&self) -> Tools<'a> {
        let Workspace { settings, state, .. } = self.workspace;
        Tools { settings, state, compiler: self.compiler }
    }

    /// What the stores have of each job: here, and in a cache that others share.
    fn look_up_here(&self) -> Vec<Option<NativeObject>> {
        let actions: Vec<_> = self.jobs.iter().map(|planned| &planned.job.action).collect();
        look_up(&self.workspace.cas, &self.workspace.action_cache, &actions, cores())
    }

    fn look_up_there(&self, found: &mut [Option<NativeObject>]) -> Result<()> {
        if self.jobs.iter().any(|planned| stays_here(&planned.job)) {
            return Ok(());
        }
        self.workspace.remote.look_up(self.tools(), self.jobs.iter().map(|planned| &planned.job), found)
    }
}

/// How each module's backend ended, in the plan's order: found in the stores, or run.
pub(crate) fn outcomes<'a>(batch: &Batch<'a>) -> Result<Vec<Ended<'a>>> {
    outcomes_while(batch, |_| ())
}

pub(crate) fn outcomes_while<'a>(
    batch: &Batch<'a>,
    meanwhile: impl FnOnce(&[Option<NativeObject>]),
) -> Result<Vec<Ended<'a>>> {
    let mut found = batch.look_up_here();
    let here = found.iter().flatten().count();
    batch.look_up_there(&mut found)?;
    let missing = batch.jobs.iter().zip(&found).filter(|(_, found)| found.is_none());
    let jobs: Vec<Job> = missing.map(|(planned, _)| planned.job.clone()).collect();
    let remote = found.len() - jobs.len() - here;
    tracing::debug!(actions = found.len(), here, remote, missing = jobs.len(), "looked up");
    let outcomes = std::thread::scope(|scope| {
        let running = scope.spawn(|| execute(batch, &jobs, Place::Anywhere));
        meanwhile(&found);
        running.join()
    });
    let panicked = |_| Err(Failure::internal("the thread that runs the backends has panicked"));
    let mut outcomes = outcomes.unwrap_or_else(panicked)?.into_iter();
    let ended = batch.jobs.iter().zip(found).map(|(planned, found)| {
        let outcome = found.map(Outcome::Success).or_else(|| outcomes.next());
        let outcome = outcome.ok_or_else(|| Failure::internal(format_args!("{} has no outcome", planned.job.name)))?;
        Ok(Ended { planned, outcome })
    });
    let ended = ended.collect::<Result<Vec<_>>>()?;
    ended.iter().for_each(trace);
    Ok(ended)
}

fn trace(ended: &Ended<'_>) {
    let job = &ended.planned.job;
    let key = || job.action.key().hex();
    match &ended.outcome {
        Outcome::Success(native) => {
            tracing::debug!(module = job.name, key = key(), from = ?native.from, execute_ms = native.times.execute_ms, "backend");
        }
        other => tracing::debug!(module = job.name, key = key(), ?other, "backend"),
    }
}

/// Runs the backends again whose native objects have `gone` from the CAS since they were made or found.
pub(crate) fn build_again<'a>(batch: &Batch<'a>, gone: Vec<&mut Made<'a>>, counts: &mut BackendCounts) -> Result<()> {
    let jobs: Vec<Job> = gone.iter().map(|made| made.planned.job.clone()).collect();
    let mut failed = Vec::new();
    for (made, outcome) in gone.into_iter().zip(execute(batch, &jobs, Place::Anywhere)?) {
        match outcome {
            Outcome::Success(native) => {
                // What was taken from a cache turned out to be none of its hits.
                if matches!(made.native.from, Origin::LocalCache | Origin::RemoteCache) {
                    *count(counts, made.native.from) -= 1;
                }
                *count(counts, native.from) += 1;
                made.native = native;
            }
            outcome => failed.push(Ended { planned: made.planned, outcome }),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(report_failures(batch, &failed)) }
}

/// The count of backends whose native objects come from `from`.
pub(crate) fn count(counts: &mut BackendCounts, from: Origin) -> &mut usize {
    match from {
        Origin::Executed => &mut counts.executed,
        Origin::LocalCache => &mut counts.local_cache,
        Origin::RemoteCache => &mut counts.remote_cache,
        Origin::RemoteExecuted => &mut counts.remote_executed,
    }
}

/// What engines and shared caches are asked for is an object of one command, and nothing beside it.
fn stays_here(job: &Job) -> bool {
    job.action.side_outputs().next().is_some() || job.action.runs().count() > 1
}

/// Where backends may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    Here,
}

/// How each of `jobs` ended, in their order.
pub(crate) fn execute(batch: &Batch<'_>, jobs: &[Job], place: Place) -> Result<Vec<Outcome>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let workspace = batch.workspace;
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let estimates = workspace.state.estimates(&names);
    // Lives as long as the runs; a link that finds everything in the stores makes none.
    let scratch = scratch::create(workspace.settings.get("scratch_dir").map(Path::new), 0)?;
    let local = LocalExecutor {
        compiler: batch.compiler.to_owned(),
        environment: backend_environment(&workspace.settings),
        work_dir: match &scratch {
            Some(scratch) => scratch.path().to_owned(),
            None => workspace.make_directory("work")?,
        },
        cas: workspace.cas.clone(),
        warm: warm_compiler(batch, jobs.len())?,
    };
    let stays = place == Place::Here || jobs.iter().any(stays_here);
    let remote = if stays { None } else { workspace.remote.executor(batch.tools())? };
    let _span = tracing::debug_span!("backends", jobs = jobs.len(), engine = remote.is_some()).entered();
    let outcomes = match remote {
        Some(remote) => run_beside(batch, jobs, &estimates, &local, &remote)?,
        None => run_here(batch, jobs, &estimates, &local)?,
    };
    if let Some(job) = jobs.get(outcomes.len()) {
        return Err(Failure::internal(format_args!("{} has no outcome", job.name)));
    }
    let runs = names.into_iter().zip(&outcomes).filter_map(|(name, outcome)| match outcome {
        Outcome::Success(native) => native.estimate.map(|estimate| (name, estimate)),
        _ => None,
    });
    workspace.state.remember_runs(&runs.collect::<Vec<_>>());
    Ok(outcomes)
}

fn jobserver(workspace: &Workspace) -> Option<MakeJobserver> {
    MakeJobserver::from_makeflags(workspace.settings.environment().makeflags())
}

/// Compilers of this machine, and how many of them at a time.
fn places(workspace: &Workspace, line: Option<usize>, jobserver: Option<&MakeJobserver>) -> Result<(usize, usize)> {
    let settings = &workspace.settings;
    let slots = settings.count("slots")?.unwrap_or_else(cores);
    let of_make = if jobserver.is_none() { jobs_told(settings.environment().makeflags()) } else { None };
    let unasked = || of_make.map_or_else(cores, |jobs| jobs.clamp(1, cores()));
    let jobs = settings.count("jobs")?.or(line).unwrap_or_else(unasked);
    Ok((slots, jobs.min(thindist_exec::most_processes())))
}

/// Backends that run here at a time while an engine works, if it does; `line` is what the link's line says.
pub(crate) fn places_beside(workspace: &Workspace, line: Option<usize>) -> Result<usize> {
    if workspace.settings.get("remote_executor").is_none() || workspace.settings.is_on("remote_only") {
        return Ok(0);
    }
    let (slots, jobs) = places(workspace, line, jobserver(workspace).as_ref())?;
    Ok(slots.min(jobs))
}

/// The slots of this machine, the make that runs us, and how many places this link may take of both.
pub(crate) fn lane(workspace: &Workspace, line: Option<usize>) -> Result<(Slots, Option<MakeJobserver>, usize)> {
    let jobserver = jobserver(workspace);
    let (slot_count, max_jobs) = places(workspace, line, jobserver.as_ref())?;
    let slots = Slots::open(workspace.settings.get("slots_dir").map(Path::new), slot_count)?;
    Ok((slots, jobserver, max_jobs.min(slot_count)))
}

/// How many of the objects are in the stores, here or in a cache that others share.
pub(crate) fn stored(batch: &Batch<'_>) -> usize {
    let mut found = batch.look_up_here();
    // A cache that does not answer has nothing.
    let _ = batch.look_up_there(&mut found);
    found.iter().flatten().count()
}

/// Leaves what was made here for others, if they may have it.
pub(crate) fn upload(batch: &Batch<'_>, made: &[Made<'_>]) {
    let shared = made.iter().filter(|made| !stays_here(&made.planned.job));
    batch.workspace.remote.upload(batch.tools(), shared.map(|made| (&made.planned.job, &made.native)));
}

fn run_here(
    batch: &Batch<'_>,
    jobs: &[Job],
    estimates: &[Option<Estimate>],
    local: &LocalExecutor,
) -> Result<Vec<Outcome>> {
    let jobserver = jobserver(batch.workspace);
    let (slot_count, max_jobs) = places(batch.workspace, batch.max_jobs, jobserver.as_ref())?;
    let slots = Slots::open(batch.workspace.settings.get("slots_dir").map(Path::new), slot_count)?;
    let max_unfinished = Limits::storing(max_jobs);
    let limits = Limits { max_jobs, max_unfinished, slots: Some(&slots), jobserver, memory: MemoryBudget::Measured };
    let progress = progress(batch, jobs, estimates, max_jobs.min(slot_count));
    let Workspace { action_cache: cache, cas, .. } = batch.workspace;
    let work = Work { jobs, estimates, executor: local, cache, cas };
    Ok(run_within(batch, work, limits, &progress))
}

fn progress<'a>(batch: &Batch<'a>, jobs: &[Job], estimates: &[Option<Estimate>], at_a_time: usize) -> Progress<'a> {
    Progress::new(batch.workspace.report(), batch.jobs.len(), batch.jobs.len() - jobs.len(), estimates, at_a_time)
}

/// What each module took the last time.
fn expected(jobs: &[Job], estimates: &[Option<Estimate>]) -> BTreeMap<String, Duration> {
    let known = jobs.iter().zip(estimates).filter_map(|(job, known)| Some((job, known.as_ref()?)));
    known.map(|(job, known)| (job.name.clone(), Duration::from_millis(known.duration_ms))).collect()
}

/// On the engine as many as it is trusted with, and here as many as there are places.
fn run_beside(
    batch: &Batch<'_>,
    jobs: &[Job],
    estimates: &[Option<Estimate>],
    local: &LocalExecutor,
    remote: &RemoteExecutor<'_>,
) -> Result<Vec<Outcome>> {
    let Workspace { settings, remote: engine, .. } = batch.workspace;
    let jobserver = jobserver(batch.workspace);
    let (slot_count, max_jobs) = places(batch.workspace, batch.max_jobs, jobserver.as_ref())?;
    let slots = Slots::open(settings.get("slots_dir").map(Path::new), slot_count.min(max_jobs))?;
    let policy = Policy {
        beside: !settings.is_on("remote_only"),
        racing: settings.is_on("remote_racing"),
        fallback: engine.falls_back(),
    };
    let hybrid =
        Hybrid::new(local, LocalLane { slots: &slots, jobserver }, remote, policy).expecting(expected(jobs, estimates));
    let in_flight = settings.count("remote_jobs")?.unwrap_or(IN_FLIGHT);
    let limits = Limits {
        max_jobs: in_flight.min(WAITING),
        max_unfinished: in_flight,
        slots: None,
        jobserver: None,
        memory: MemoryBudget::FixedKib(u64::MAX),
    };
    let progress = progress(batch, jobs, estimates, in_flight).beside(hybrid.flight());
    let Workspace { action_cache: cache, cas, .. } = batch.workspace;
    let work = Work { jobs, estimates, executor: &hybrid, cache, cas };
    let outcomes = hybrid.while_helping(|| run_within(batch, work, limits, &progress));
    hybrid.complaint(engine.trouble()).iter().for_each(|complaint| remote::warn(batch.workspace.report(), complaint));
    Ok(outcomes)
}

fn run_within(batch: &Batch<'_>, work: Work<'_>, limits: Limits<'_>, progress: &Progress<'_>) -> Vec<Outcome> {
    let outcomes = run_all(work, limits, progress, batch.workspace.interrupt.token());
    progress.close();
    outcomes
}

/// The compiler, kept loaded, unless starting it would take longer than it saves.
fn warm_compiler(batch: &Batch<'_>, jobs: usize) -> Result<Option<WarmCompiler>> {
    if jobs < WORTH_WARMING || !batch.workspace.settings.is_on("warm") {
        return Ok(None);
    }
    Ok(WarmCompiler::start(
        batch.compiler,
        &backend_environment(&batch.workspace.settings),
        &batch.workspace.make_directory("warm")?,
        jobs,
    ))
}

/// Warnings of the backends are the link's, as they are in-process.
pub(crate) fn tell_warnings(batch: &Batch<'_>, warnings: &[String]) -> Result<()> {
    match batch.warnings {
        Warnings::Silent => return Ok(()),
        Warnings::Shown | Warnings::Fatal => lld_run::print(batch.workspace.report(), warnings),
    }
    if batch.warnings == Warnings::Fatal && !warnings.is_empty() {
        return Err(Failure::new("a backend has warned, and --fatal-warnings makes that an error"));
    }
    Ok(())
}

/// What a compiler may see of our environment: how it is loaded, nothing else.
fn backend_environment(settings: &Settings) -> Vec<(OsString, OsString)> {
    let value = |name: &str| settings.environment().get(name).map(OsStr::to_owned);
    ["LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name.into(), value(name)?))).collect()
}

/// Warnings of the backends, each once, as in-process lld prints them.
pub(crate) fn warnings(made: &[Made<'_>]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let lines = made.iter().flat_map(|made| diagnostics(&made.native.stderr, made.planned));
    lines.filter(|line| seen.insert(line.clone())).map(|line| format!("thindist: {line}")).collect()
}

/// The compiler's lines with module identifiers and paths for the action root's names, without its own count of them.
fn diagnostics(stderr: &[u8], planned: &PlannedJob) -> Vec<String> {
    let (job, imported) = (&planned.job, planned.imported());
    let extra = job.action.extra_inputs.iter().zip(&job.extra_inputs);
    let files: Vec<_> = extra.filter_map(|(extra, source)| link_file(&extra.path, source)).collect();
    lld_run::lines(stderr)
        .into_iter()
        .filter(|line| !line.ends_with(" generated."))
        .map(|line| files.iter().fold(line, |line, (name, path)| line.replace(name, path)))
        .map(|line| plan::explain_names(&line, &job.name, &imported))
        .collect()
}

/// The name of a profile in the action root, and where it is.
fn link_file<'a>(name: &'a str, source: &Source) -> Option<(&'a str, String)> {
    match source {
        Source::File { path, .. } if LINK_FILE_NAMES.contains(&name) => Some((name, path.display().to_string())),
        Source::File { .. } | Source::Bytes(_) => None,
    }
}

/// What to do about a backend that failed with these words.
fn remedy(stderr: &[u8]) -> &'static str {
    let is_wrapped = || String::from_utf8_lossy(stderr).contains("unknown argument: '-cc1'");
    match () {
        () if lld_run::says_full(stderr) => lld_run::FREE_SPACE,
        () if is_wrapped() => "a script puts words in front of -cc1; name clang itself with THINDIST_CLANG",
        () => "nothing of it was stored, and the output was not touched",
    }
}

/// Says what failed: the first compiler's own words, or what kept it from running.
pub(crate) fn report_failures(batch: &Batch<'_>, failed: &[Ended<'_>]) -> Failure {
    let failed = failed.iter().find_map(|ended| {
        let job = &ended.planned.job;
        match &ended.outcome {
            Outcome::CompileFailed { status, stderr } => {
                let text = diagnostics(stderr, ended.planned);
                text.iter().for_each(|line| batch.workspace.report().tell(&format!("thindist: {line}")));
                let what = format!("the backend of {} failed: {} {status}", job.name, batch.compiler.display());
                Some(Failure::new(what).hint(remedy(stderr)))
            }
            Outcome::InfraFailed { message } => {
                let full = lld_run::says_full(message.as_bytes());
                let failure = Failure::new(format_args!("the backend of {} could not be run: {message}", job.name));
                Some(if full { failure.hint(lld_run::FREE_SPACE) } else { failure })
            }
            Outcome::Success(_) | Outcome::Cancelled => None,
        }
    });
    failed.unwrap_or_else(|| Failure::new("interrupted"))
}
