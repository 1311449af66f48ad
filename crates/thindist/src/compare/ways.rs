//! The ways to do one link, each measured as a process with its children.

use serde::Deserialize;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use thindist_core::lld::link_line::response_file;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::lld_run;
use thindist_engine::private_line::{plain_words, to};
use thindist_engine::workspace::Session;
use thindist_exec::process::{self, Invocation, Status, Usage};

/// A way to do the link. The order is the report's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    InProcess,
    LldCacheEmpty,
    LldCacheFull,
    ThindistEmpty,
    ThindistObjects,
    ThindistUnchanged,
}

impl Way {
    pub(crate) const ALL: [Self; 6] = [
        Self::InProcess,
        Self::LldCacheEmpty,
        Self::LldCacheFull,
        Self::ThindistEmpty,
        Self::ThindistObjects,
        Self::ThindistUnchanged,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::LldCacheEmpty => "in-process, lld's cache, empty",
            Self::LldCacheFull => "in-process, lld's cache, all hits",
            Self::ThindistEmpty => "thindist, empty stores",
            Self::ThindistObjects => "thindist, all native objects stored",
            Self::ThindistUnchanged => "thindist, nothing changed",
        }
    }
}

/// What one run took.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) way: Way,
    pub(crate) usage: Usage,
    /// What its cache takes on the disk afterwards; 0 without one.
    pub(crate) disk_bytes: u64,
    /// Backends that ran; unknown where lld does not say.
    pub(crate) backends: Option<u64>,
    /// The largest resident size of thindist's own process.
    pub(crate) coordinator_kib: Option<u64>,
}

/// One round's figures and its outputs.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) measured: Vec<Measured>,
    pub(crate) outputs: Outputs,
}

/// Where the outputs of both are.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) in_process: PathBuf,
    pub(crate) distributed: PathBuf,
}

/// The line under measurement, and where everything of it goes.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) session: &'a Session,
    pub(crate) directory: &'a Path,
    pub(crate) output: &'a Path,
}

/// What the thindist that was started says of its link.
#[derive(Debug, Deserialize)]
struct Told {
    backends: ToldBackends,
    peak_rss_kib: u64,
}

#[derive(Debug, Deserialize)]
struct ToldBackends {
    executed: u64,
    remote_executed: u64,
}

impl Bench<'_> {
    /// All ways once. Who begins has the files read for the other, so they begin by turns.
    pub(crate) fn round(&self, number: usize) -> Result<Round> {
        let mut measured = Vec::new();
        for in_process in [number.is_multiple_of(2), !number.is_multiple_of(2)] {
            measured.extend(if in_process { self.lld(number)? } else { self.thindist(number)? });
        }
        let outputs = Outputs { in_process: self.kept("in-process"), distributed: self.kept("distributed") };
        Ok(Round { measured, outputs })
    }

    fn lld(&self, number: usize) -> Result<Vec<Measured>> {
        let plain = self.run_lld(Way::InProcess, None)?;
        self.keep("in-process")?;
        let cache = self.directory.join(format!("lld-cache-{number}"));
        let cached = [Way::LldCacheEmpty, Way::LldCacheFull].map(|way| self.run_lld(way, Some(&cache)));
        let [empty, full] = cached;
        Ok(vec![plain, empty?, full?])
    }

    fn run_lld(&self, way: Way, cache: Option<&Path>) -> Result<Measured> {
        let mut words = [plain_words(&self.session.line), to(self.output)].concat();
        words.extend(cache.map(|cache| format!("--thinlto-cache-dir={}", cache.display())));
        let run = lld_run::lld(self.session, "compare.rsp", &words)?;
        if !run.success() {
            lld_run::print(self.session.workspace.report(), &lld_run::lines(&run.stderr));
            return Err(run.failure(&self.session.lld.path));
        }
        let disk_bytes = cache.map_or(Ok(0), disk_bytes)?;
        Ok(Measured { way, usage: run.usage, disk_bytes, backends: None, coordinator_kib: None })
    }

    fn thindist(&self, number: usize) -> Result<Vec<Measured>> {
        let cache = self.directory.join(format!("thindist-cache-{number}"));
        let empty = self.run_thindist(Way::ThindistEmpty, &cache)?;
        self.keep("distributed")?;
        let objects = self.run_thindist(Way::ThindistObjects, &cache)?;
        Ok(vec![empty, objects, self.run_thindist(Way::ThindistUnchanged, &cache)?])
    }

    /// A process of its own: what it costs to start one is part of it.
    fn run_thindist(&self, way: Way, cache: &Path) -> Result<Measured> {
        let line = self.session.workspace.path("compare.rsp");
        let words = [plain_words(&self.session.line), to(self.output)].concat();
        std::fs::write(&line, response_file::join(&words)).map_err(|error| io("write", &line, &error))?;
        let stats = self.session.workspace.path("compare-stats.json");
        let program = std::env::current_exe().map_err(|error| io("find", "this program", &error))?;
        let mut at_line = OsString::from("@");
        at_line.push(&line);
        let arguments = ["ld".into(), "--".into(), at_line].to_vec();
        let invocation =
            Invocation { program, arguments, environment: self.environment(way, cache, &stats), directory: None };
        let run = process::run(&invocation, None, self.session.workspace.interrupt.token()).map_err(Failure::of)?;
        if run.status != Status::Exited(0) {
            lld_run::print(self.session.workspace.report(), &lld_run::lines(&run.stderr));
            return Err(Failure::new(format_args!("the link by thindist failed: {}", run.status)));
        }
        let told = told(&stats)?;
        Ok(Measured {
            way,
            usage: run.usage,
            disk_bytes: disk_bytes(cache)?,
            backends: Some(told.backends.executed + told.backends.remote_executed),
            coordinator_kib: Some(told.peak_rss_kib),
        })
    }

    /// Ours, with the settings of this run. In-process behind a warning would be compared with itself, so it is an error.
    fn environment(&self, way: Way, cache: &Path, stats: &Path) -> Vec<(OsString, OsString)> {
        let settings = &self.session.workspace.settings;
        let mut variables = settings.environment().variables().to_vec();
        variables.extend(settings.as_environment().map(|(name, value)| (name.into(), value.into())));
        let memo = if way == Way::ThindistObjects { "0" } else { "1" };
        let session = self.session;
        let ours: [(&str, OsString); 6] = [
            ("THINDIST_CACHE_DIR", cache.into()),
            ("THINDIST_STATS", stats.into()),
            ("THINDIST_FALLBACK", "never".into()),
            ("THINDIST_MEMO", memo.into()),
            ("THINDIST_LLD", session.lld.path.clone().into()),
            ("THINDIST_CLANG", session.clang.path.clone().into()),
        ];
        variables.extend(ours.map(|(name, value)| (name.into(), value)));
        variables
    }

    /// All write to one path, because a line that names another is another line. What is compared is moved aside.
    fn keep(&self, name: &str) -> Result<()> {
        let kept = self.kept(name);
        std::fs::rename(self.output, &kept).map_err(|error| io("move the output to", &kept, &error))
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.directory.join(format!("output-{name}"))
    }
}

fn told(stats: &Path) -> Result<Told> {
    let text = std::fs::read_to_string(stats).map_err(|error| io("read", stats, &error))?;
    std::fs::remove_file(stats).map_err(|error| io("remove", stats, &error))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format_args!("{}: {error}", stats.display())))
}

/// What a directory takes on the disk, in bytes. Files that lld removes meanwhile are not counted.
fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(directory).map_err(|error| io("read", directory, &error))? {
        let path = entry.map_err(|error| io("read", directory, &error))?.path();
        let Ok(metadata) = path.symlink_metadata() else { continue };
        total += metadata.blocks() * 512;
        if metadata.is_dir() {
            total += disk_bytes(&path)?;
        }
    }
    Ok(total)
}
