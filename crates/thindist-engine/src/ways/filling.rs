//! One run of lld that compiles: with a private cache, with as many threads as it may have, and what is kept of it
//! afterwards.

use super::harvest::{self, Compiled, Harvest};
use super::history::{Changes, History, Now, Said};
use super::private_cache;
use crate::backends::execution;
use crate::backends::jobs::PlannedJob;
use crate::failure::{Failure, Result, io};
use crate::parallel;
use crate::plan::planning::Planned;
use crate::session::lld_run::{self, Run};
use crate::session::workspace::{InputDigests, Session};
use crate::thin::thin_link::ThinLink;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use thindist_core::lld::cache_markers::key_of_file;
use thindist_exec::{FileStamp, LldCache, LocalLane, Permit};

/// What is in the cache is ours to remove.
const NEVER_PRUNE: &str = "--thinlto-cache-policy=prune_after=0s:cache_size=0%:cache_size_bytes=0:cache_size_files=0";

/// lld's private cache, before lld has run on it.
pub(crate) struct Filling<'a> {
    session: &'a Session,
    inputs: &'a InputDigests,
    now: &'a Now,
    cache: LldCache,
    before: BTreeSet<String>,
    /// Where lld puts its files, if that is in memory: many small files cost a quarter of a link on disk, as lld makes each under
    /// another name first, renames it and opens it again.
    staged: Option<PathBuf>,
}

/// What was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Modules that lld has linked.
    pub(crate) modules: usize,
    /// Backends that it has run.
    pub(crate) executed: usize,
    /// Why nothing was harvested although there was a plan.
    pub(crate) unharvested: Option<String>,
}

impl<'a> Filling<'a> {
    /// `None`: the line may not have such a cache, or there is trouble with it, which costs time and not the link.
    pub(crate) fn open(
        session: &'a Session,
        inputs: &'a InputDigests,
        history: &mut History,
        now: &'a Now,
        changes: &Changes,
    ) -> Option<Self> {
        if private_cache::refusal(&session.line).is_some() || history.shows_cache || may_show_cache(session) {
            return None;
        }
        Self::try_open(session, inputs, history, now, changes)
            .inspect_err(|failure| failure.warn(session.workspace.report()))
            .ok()
    }

    fn try_open(
        session: &'a Session,
        inputs: &'a InputDigests,
        history: &mut History,
        now: &'a Now,
        changes: &Changes,
    ) -> Result<Self> {
        let mut cache = private_cache::open(session, history, now)?;
        forget_what_spoke(&mut cache, history, changes)?;
        let before: BTreeSet<String> = cache.known_keys().map(str::to_owned).collect();
        let staged = if before.is_empty() && now.is_of_many_small() { stage(session, now)? } else { None };
        Ok(Self { session, inputs, now, cache, before, staged })
    }

    /// Objects that lld may answer with.
    pub(crate) fn entries(&self) -> usize {
        self.before.len()
    }

    /// lld names its files: without the cache it would have said something else.
    pub(crate) fn is_shown_in(&self, run: &Run) -> bool {
        if !self.session.lld.row().shows_cached_objects {
            return false;
        }
        let directory = self.directory().to_string_lossy();
        [&run.stdout, &run.stderr].iter().any(|said| String::from_utf8_lossy(said).contains(directory.as_ref()))
    }

    /// What lld is told beside the line.
    pub(crate) fn words(&self) -> [String; 2] {
        [format!("--thinlto-cache-dir={}", self.directory().display()), NEVER_PRUNE.to_owned()]
    }

    /// The cache's, as lld has it.
    fn directory(&self) -> &Path {
        self.staged.as_deref().unwrap_or(self.cache.directory())
    }

    /// Copies what lld has put into memory.
    fn settle(&self) -> Result<()> {
        let Some(staged) = &self.staged else { return Ok(()) };
        let entries = std::fs::read_dir(staged).map_err(|error| io("list", staged, &error))?.flatten();
        let names = entries.map(|entry| entry.file_name());
        let names: Vec<OsString> = names.filter(|name| name.to_str().and_then(key_of_file).is_some()).collect();
        let copy = |name: &OsString| {
            let to = self.cache.directory().join(name);
            std::fs::copy(staged.join(name), &to).map(drop).map_err(|error| io("write", &to, &error))
        };
        parallel::map(&names, copy).map(drop)
    }

    /// After a run that has linked: its objects go into the stores if there is a plan, and the history says what lld knows.
    pub(crate) fn keep(
        mut self,
        history: &mut History,
        plan: Option<(&ThinLink, &Planned)>,
        named_files: Option<&[PathBuf]>,
        run: &Run,
    ) -> Result<Kept> {
        self.settle()?;
        let mut new = self.new_keys()?;
        let is_cold = self.before.is_empty();
        if is_cold {
            history.cold_cpu_ms = u64::try_from(run.usage.cpu.as_millis()).unwrap_or(u64::MAX);
            history.cold_rss_kib = run.usage.peak_rss_kib;
        }
        let mut kept = Kept { modules: self.now.len(), executed: new.len(), unharvested: None };
        let has_unknown_lines = match plan {
            Some((thin, planned)) => {
                kept.modules = planned.len();
                kept.executed = if is_cold { planned.len() } else { kept.executed };
                let harvest = if self.is_unchanged() {
                    let compiled = Compiled { thin, planned, run };
                    harvest::run(self.session, self.now, &mut self.cache, &history.said, compiled)?
                } else {
                    Harvest::nothing("an input has changed during the link")
                };
                let Harvest { said, has_unknown_lines, nothing } = harvest;
                history.said.extend(said);
                history.is_stored = nothing.is_none();
                kept.unharvested = nothing;
                history.set_modules(self.now, &|_| false);
                history.set_imports(self.now, planned.jobs.iter().map(PlannedJob::edges));
                has_unknown_lines
            }
            None => {
                history.set_modules(self.now, &|_| false);
                // Of which module it is nobody has found out.
                let lines = lld_run::lines(&run.stderr);
                !new.is_empty() && lines.iter().any(|line| !harvest::is_of_the_link(line))
            }
        };
        history.spoke = has_unknown_lines;
        if has_unknown_lines || named_files.is_none() {
            self.cache.remove(std::mem::take(&mut new))?;
        }
        history.named_files = named_files.unwrap_or_default().to_vec();
        private_cache::close(self.session, history, self.cache, &new)?;
        Ok(kept)
    }

    /// After a run that has not linked. What was compiled without a word may stay.
    pub(crate) fn abandon(mut self, history: &History, new_ones_stay: bool) -> Result<()> {
        if new_ones_stay {
            self.settle()?;
        }
        let mut new = self.new_keys()?;
        if !new_ones_stay {
            self.cache.remove(std::mem::take(&mut new))?;
        }
        private_cache::close(self.session, history, self.cache, &new)
    }

    /// lld has read what the plan was made of, archives as well.
    fn is_unchanged(&self) -> bool {
        self.inputs.iter().all(|(path, (_, stamp))| FileStamp::of(path).is_ok_and(|now| now == *stamp))
    }

    fn new_keys(&self) -> Result<Vec<String>> {
        Ok(self.cache.keys()?.into_iter().filter(|key| !self.before.contains(key)).collect())
    }
}

/// A directory in memory, if that has room.
fn stage(session: &Session, now: &Now) -> Result<Option<PathBuf>> {
    let directory = session.workspace.make_scratch("lld-cache", || now.bytes())?;
    Ok(Some(directory).filter(|directory| session.workspace.is_in_memory(directory)))
}

/// An object from the cache has another name in what the line asks for, or for the patterns of a script.
fn may_show_cache(session: &Session) -> bool {
    let line = &session.line;
    session.lld.row().shows_cached_objects && (line.shows_objects().is_some() || line.scripts().next().is_some())
}

/// Modules that had warnings and may be compiled again are compiled again, so that lld says what is true now.
fn forget_what_spoke(cache: &mut LldCache, history: &mut History, changes: &Changes) -> Result<()> {
    let (again, rest) =
        std::mem::take(&mut history.said).into_iter().partition(|(name, _): &(String, Said)| changes.has(name));
    history.said = rest;
    let again: BTreeMap<String, Said> = again;
    Ok(cache.remove(again.into_values().map(|said| said.key))?)
}

/// At most one thread of lld's for each slot of the machine and token of make's.
pub(crate) fn permits(session: &Session) -> Result<Vec<Permit>> {
    let (slots, jobserver, most) = execution::lane(&session.workspace, session.line.jobs())?;
    let lane = LocalLane { slots: &slots, jobserver };
    let first = lane.permit(session.workspace.interrupt.token()).ok_or_else(|| Failure::new("interrupted"))?;
    let others = std::iter::repeat_with(|| lane.try_permit()).take(most.saturating_sub(1)).map_while(|permit| permit);
    Ok(std::iter::once(first).chain(others).collect())
}

/// The threads that they stand for.
pub(crate) fn threads(permits: &[Permit]) -> String {
    format!("--thinlto-jobs={}", permits.len())
}
