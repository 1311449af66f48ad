//! What one run needs: its stores, its directory for temporaries, and its cancellation; for a link also its line and
//! its tools.

use super::way::Way;
use crate::failure::{Failure, Kind, Result, io};
use crate::parallel::{self, cores};
use crate::report::Report;
use crate::session::interrupt::Interrupt;
use crate::session::remote::{self, Remote};
use crate::session::stats::{Stats, Timer};
use crate::session::tools::{self, Tool};
use crate::settings::Settings;
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;
use thindist_core::digest::Digest;
use thindist_core::lld::link_line::{LinkLine, Refusal};
use thindist_core::lld::versions;
use thindist_exec::{ActionCache, Cas, FileStamp, LinkDirectory, State, scratch};

/// Indexes, markers and an output are together less than the inputs. With debug information they may be more.
const ROOM: u64 = 4;
/// With less than this free a directory is full: lld reserves its output as a whole, and leaves what it could not use.
const FULL: u64 = 64 << 10;

/// One link's surroundings.
#[derive(Debug)]
pub(crate) struct Session {
    /// The link line.
    pub line: LinkLine,
    /// The real lld.
    pub lld: Tool,
    /// The compiler that runs backends, of lld's LLVM version.
    pub clang: Tool,
    /// What it has in common with runs that do not link.
    pub workspace: Workspace,
}

/// What a run that compiles has, whether it links or not.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The settings of the run, all checked.
    pub settings: Settings,
    /// What earlier runs found out: digests of files, facts of bitcode and tools, estimates.
    pub state: State,
    pub(crate) cas: Cas,
    pub(crate) action_cache: ActionCache,
    pub(crate) remote: Remote,
    /// What cancels the run.
    pub interrupt: Interrupt,
    /// How lld is driven and why, in a link whose way was chosen.
    pub(crate) chosen: Mutex<Option<(Way, String)>>,
    cache_dir: PathBuf,
    directory: LinkDirectory,
    memory: Memory,
    /// The stores are those of this run alone.
    passing: Option<TempDir>,
}

/// The part of a link's own files that is in memory.
#[derive(Debug, Default)]
struct Memory {
    /// `None` inside: there is no room.
    directory: OnceLock<Option<LinkDirectory>>,
    /// It has turned out to be too small.
    is_full: AtomicBool,
}

/// Content and stamp of each file that the line names.
pub(crate) type InputDigests = BTreeMap<PathBuf, (Digest, FileStamp)>;

/// The size of all inputs.
pub(crate) fn size_of(inputs: &InputDigests) -> u64 {
    inputs.values().map(|(digest, _)| digest.size()).sum()
}

/// Where results and temporaries are.
struct Stores {
    cache_dir: PathBuf,
    cas: Cas,
    action_cache: ActionCache,
    directory: LinkDirectory,
    passing: Option<TempDir>,
}

impl Stores {
    /// No place to keep anything (no HOME, a read-only disk) costs a warning and not the run: it has stores of its own, which go with it.
    fn open(settings: &Settings) -> Result<Self> {
        let failure = match settings.cache_dir().and_then(|cache_dir| Self::at(cache_dir, None)) {
            Ok(stores) => return Ok(stores),
            Err(failure) => failure,
        };
        let temporary = settings.environment().temporary_directory();
        let passing = tempfile::Builder::new().prefix("thindist-cache-").tempdir_in(&temporary);
        let Ok(passing) = passing else { return Err(failure) };
        settings.report().warning(&format!("{failure}; nothing is kept for later"));
        Self::at(passing.path().to_owned(), Some(passing))
    }

    fn at(cache_dir: PathBuf, passing: Option<TempDir>) -> Result<Self> {
        let cas = Cas::open(&cache_dir)?;
        let action_cache = ActionCache::open(&cache_dir)?;
        // lld cleans the names of objects that it is given, and in what it shows they are looked for.
        let cache_dir = cache_dir.canonicalize().map_err(|error| io("find", &cache_dir, &error))?;
        let directory = LinkDirectory::create(&cache_dir)?;
        Ok(Self { cache_dir, cas, action_cache, directory, passing })
    }
}

impl Session {
    /// [`Stop::Refused`]: what an lld of this version does is not known well enough even to take its objects.
    pub(crate) fn open(settings: Settings, line: LinkLine, lld: &Path) -> std::result::Result<Self, Stop> {
        let workspace = Workspace::open(settings)?;
        let ((), lld) = parallel::both(
            || tools::ask_ahead(&workspace.settings, lld, &workspace.state),
            || Tool::examine(lld, workspace.settings.environment(), &workspace.state),
        )?;
        let lld = lld?;
        if versions::version(lld.major).is_none() {
            let reason = format!("it is of LLVM {}, with which thindist was not tried", lld.major);
            return Err(Stop::Refused(Refusal { option: lld.path.display().to_string(), reason }));
        }
        let clang = tools::find_clang(&workspace.settings, &lld, &workspace.state)?;
        Ok(Self { line, lld, clang, workspace })
    }

    /// Digests every file that the line names: inputs, thin archives' members, scripts.
    pub(crate) fn digest_inputs(&self, mut files: Vec<PathBuf>) -> Result<InputDigests> {
        files.sort_unstable();
        files.dedup();
        self.workspace.digest(files)
    }

    /// Ends the link; see [`Workspace::finish`].
    pub(crate) fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        self.workspace.finish(outcome)
    }
}

impl Workspace {
    /// Checks the settings, opens the stores and begins to watch for signals.
    pub(crate) fn open(settings: Settings) -> Result<Self> {
        let wrong = |failure: Failure| failure.of_kind(Kind::Configuration);
        settings.check().map_err(wrong)?;
        settings.warn_of_unknown_variables();
        let options = remote::options(&settings).map_err(wrong)?;
        thindist_exec::allow_all();
        let interrupt = Interrupt::watch()?;
        let Stores { cache_dir, cas, action_cache, directory, passing } = Stores::open(&settings)?;
        let state = State::open(&cache_dir);
        let remote = Remote::new(options, &cas, &action_cache, &cache_dir);
        let (chosen, memory) = (Mutex::default(), Memory::default());
        Ok(Self {
            settings,
            state,
            cas,
            action_cache,
            remote,
            interrupt,
            chosen,
            cache_dir,
            directory,
            memory,
            passing,
        })
    }

    /// Who hears what the run says.
    pub(crate) fn report(&self) -> &dyn Report {
        self.settings.report()
    }

    fn warn<T>(&self, outcome: Result<T>) {
        if let Err(failure) = outcome {
            failure.warn(self.report());
        }
    }

    /// Nothing is kept after this run.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing.is_some()
    }

    /// Where the stores are.
    pub(crate) fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// A path in the link's own directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text for a command line.
    pub(crate) fn text_path(&self, name: impl AsRef<Path>) -> Result<String> {
        text(&self.path(name))
    }

    /// Creates a directory in the link's own.
    pub(crate) fn make_directory(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::create_dir_all(&path).map_err(|error| io("create", &path, &error))?;
        Ok(path)
    }

    /// Creates a directory for what goes with the link: in memory, if that has room for a multiple of the link's inputs, else
    /// in the link's own.
    pub(crate) fn make_scratch(&self, name: &str, inputs: impl FnOnce() -> u64) -> Result<PathBuf> {
        let memory = self.memory(inputs).map(|memory| memory.path().join(name));
        match memory.filter(|path| std::fs::create_dir_all(path).is_ok()) {
            Some(path) => Ok(path),
            None => self.make_directory(name),
        }
    }

    /// `None`: there is no room. Whatever keeps us from using it, there is another place.
    fn memory(&self, inputs: impl FnOnce() -> u64) -> Option<&LinkDirectory> {
        // What is to be kept has to be in one place.
        if self.memory.is_full.load(Ordering::Relaxed) || self.settings.is_on("keep") {
            return None;
        }
        let place = self.settings.get("scratch_dir").map(Path::new);
        let make = || scratch::create(place, inputs().saturating_mul(ROOM)).ok().flatten();
        self.memory.directory.get_or_init(make).as_ref()
    }

    /// Nothing can be written in memory any more.
    pub(crate) fn is_memory_full(&self) -> bool {
        let free = self.memory_in_use().and_then(|memory| scratch::free_bytes(memory.path()));
        free.is_some_and(|free| free < FULL)
    }

    fn memory_in_use(&self) -> Option<&LinkDirectory> {
        self.memory.directory.get().and_then(Option::as_ref)
    }

    /// Memory has no room for what a tool has to write: the next try is on disk. `false`: the last one was.
    pub(crate) fn leave_memory(&self) -> bool {
        let Some(memory) = self.memory_in_use() else { return false };
        if self.memory.is_full.swap(true, Ordering::Relaxed) {
            return false;
        }
        // For others. What cannot be removed now goes with the link.
        for entry in std::fs::read_dir(memory.path()).into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
        true
    }

    /// The directories of the link's own files, in memory and on disk.
    pub(crate) fn own_directories(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.directory), self.memory_in_use()].into_iter().flatten().map(LinkDirectory::path)
    }

    /// Whether a file is one of those in memory.
    pub(crate) fn is_in_memory(&self, path: &Path) -> bool {
        self.memory_in_use().is_some_and(|memory| path.starts_with(memory.path()))
    }

    /// Whether a file is one of the link's own.
    pub(crate) fn is_own(&self, path: &Path) -> bool {
        self.own_directories().any(|own| path.starts_with(own))
    }

    /// Digests these files; fails with the first of them that cannot be read.
    pub(crate) fn digest(&self, files: Vec<PathBuf>) -> Result<InputDigests> {
        let digests = self.state.digest_files(&files, cores());
        files.into_iter().zip(digests).map(|(file, digest)| Ok((file, digest?))).collect()
    }

    /// Writes the link's figures, and keeps the stores within their bound.
    ///
    /// The output is in its place by then, so that nothing here can fail the link.
    pub(crate) fn record(&self, mut stats: Stats, timer: &Timer) {
        stats.finish(timer);
        if let Some(path) = self.settings.get("stats") {
            self.warn(stats.append_to(Path::new(path)));
        }
        // What was added is all that can have brought the stores over their bound.
        if stats.backends.executed + stats.backends.remote_cache > 0 {
            let collected = self.settings.cache_size().and_then(|size| {
                thindist_exec::maintenance::gc_now_and_then(&self.cache_dir, size).map_err(Failure::from)
            });
            self.warn(collected);
        }
    }

    /// Leaves the link's files in place if that is wanted.
    fn close(&self) {
        if self.settings.is_on("keep") && !self.is_passing() {
            let kept = self.cache_dir.join("kept").join(self.directory.path().file_name().unwrap_or_default());
            let moved = kept.parent().map_or(Ok(()), std::fs::create_dir_all);
            if moved.and_then(|()| std::fs::rename(self.directory.path(), &kept)).is_ok() {
                self.report().note(&format!("the link's files are in {}", kept.display()));
            }
        }
    }

    /// Ends the link: temporaries go, and a signal that ended it is passed on, so that make sees how it ended.
    pub(crate) fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        self.close();
        let Self { interrupt, directory, memory, passing, .. } = self;
        drop(directory);
        drop(memory);
        drop(passing);
        interrupt.pass_on();
        outcome
    }
}

/// A path of our own as text for a command line.
pub(crate) fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(format_args!("the path of the cache or of the scratch directory is not UTF-8: {}", path.display()))
            .hint("name other places with THINDIST_CACHE_DIR and THINDIST_SCRATCH_DIR")
    })
}
