//! The ways to do one link, side by side, each measured as a process with its children.
//!
//! Nothing of the user's is written, neither output nor stores: the stores are of this run, so that an empty one is
//! empty. The ways take turns, and who begins changes with each round: figures of two runs cannot be compared.

use crate::entrance::open;
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::inputs::private_line::{plain_words, take_private_output, to};
use crate::pipeline;
use crate::session::lld_run;
use crate::session::workspace::Session;
use crate::settings::Settings;
use crate::stop::Stop;
use serde::Deserialize;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::link_line::response_file;
use thindist_exec::process::{self, Invocation, Status, Usage};

/// What the outputs are moved to.
const IN_PROCESS: &str = "in-process";
const DISTRIBUTED: &str = "distributed";

/// A way to do the link. The order is the report's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// lld alone.
    InProcess,
    /// lld with an empty cache of its own.
    LldCacheEmpty,
    /// lld with a cache that has every object.
    LldCacheFull,
    /// With empty stores.
    ThindistEmpty,
    /// With stores that have every object, and no memo of whole links.
    ThindistObjects,
    /// With a memo of the link.
    ThindistUnchanged,
}

impl Way {
    /// All, in the report's order.
    pub const ALL: [Self; 6] = [
        Self::InProcess,
        Self::LldCacheEmpty,
        Self::LldCacheFull,
        Self::ThindistEmpty,
        Self::ThindistObjects,
        Self::ThindistUnchanged,
    ];

    /// What people call it.
    pub fn name(self) -> &'static str {
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
pub struct Measured {
    /// Which way.
    pub way: Way,
    /// Time and memory.
    pub usage: Usage,
    /// What its cache takes on the disk afterwards; 0 without one.
    pub disk_bytes: u64,
    /// Backends that ran; unknown where lld does not say.
    pub backends: Option<u64>,
    /// The largest resident size of thindist's own process.
    pub coordinator_kib: Option<u64>,
}

/// What all rounds took, and the outputs of the last. These go with the link.
#[derive(Debug)]
pub struct Measurement {
    /// How often each way was measured.
    pub rounds: usize,
    /// Bitcode inputs of the line.
    pub modules: usize,
    /// The version lines of lld and clang.
    pub tools: [String; 2],
    /// Each way in each round.
    pub measured: Vec<Measured>,
    /// In-process ThinLTO's output.
    pub in_process: PathBuf,
    /// Ours.
    pub distributed: PathBuf,
}

/// The line under measurement, and where everything of it goes.
#[derive(Debug)]
struct Bench<'a> {
    session: &'a Session,
    directory: &'a Path,
    output: &'a Path,
}

/// Measures the link of the line `words`, and has `look` look at it.
pub fn link(
    environment: &Environment,
    words: Vec<OsString>,
    rounds: usize,
    look: impl FnOnce(&Measurement) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (mut session, survey) = open(&mut settings, words)?;
    if !survey.has_bitcode() {
        return Err(Failure::new("no bitcode among the inputs: nothing to compare"));
    }
    let outcome = measure(&mut session, rounds, survey.bitcode().len()).and_then(|measurement| look(&measurement));
    session.finish(outcome)
}

fn measure(session: &mut Session, rounds: usize, modules: usize) -> Result<Measurement> {
    session.workspace.settings.reject_beyond_in_process("a comparison with in-process")?;
    LinkFlags::of(&session.line).map_err(|refusal| pipeline::only_in_process(Stop::Refused(refusal)))?;
    let output = take_private_output(session, "compare")?;
    let directory = session.workspace.path("compare");
    let bench = Bench { session, directory: &directory, output: &output };
    let measured = (0..rounds).map(|number| bench.round(number)).collect::<Result<Vec<_>>>()?.concat();
    let tools = [&session.lld, &session.clang].map(|tool| tool.version_line().to_owned());
    let (in_process, distributed) = (bench.kept(IN_PROCESS), bench.kept(DISTRIBUTED));
    Ok(Measurement { rounds, modules, tools, measured, in_process, distributed })
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
    fn round(&self, number: usize) -> Result<Vec<Measured>> {
        let mut measured = Vec::new();
        for in_process in [number.is_multiple_of(2), !number.is_multiple_of(2)] {
            measured.extend(if in_process { self.lld(number)? } else { self.thindist(number)? });
        }
        Ok(measured)
    }

    fn lld(&self, number: usize) -> Result<Vec<Measured>> {
        let plain = self.run_lld(Way::InProcess, None)?;
        self.keep(IN_PROCESS)?;
        let cache = self.directory.join(format!("lld-cache-{number}"));
        let cached = [Way::LldCacheEmpty, Way::LldCacheFull].map(|way| self.run_lld(way, Some(&cache)));
        let [empty, full] = cached;
        Ok(vec![plain, empty?, full?])
    }

    fn run_lld(&self, way: Way, cache: Option<&Path>) -> Result<Measured> {
        let mut words = [plain_words(&self.session.line), to(self.output)].concat();
        words.extend(cache.map(|cache| format!("--thinlto-cache-dir={}", cache.display())));
        let run = lld_run::expect_lld(self.session, "compare.rsp", &words)?;
        let disk_bytes = cache.map_or(Ok(0), disk_bytes)?;
        Ok(Measured { way, usage: run.usage, disk_bytes, backends: None, coordinator_kib: None })
    }

    fn thindist(&self, number: usize) -> Result<Vec<Measured>> {
        let cache = self.directory.join(format!("thindist-cache-{number}"));
        let empty = self.run_thindist(Way::ThindistEmpty, &cache)?;
        self.keep(DISTRIBUTED)?;
        let objects = self.run_thindist(Way::ThindistObjects, &cache)?;
        Ok(vec![empty, objects, self.run_thindist(Way::ThindistUnchanged, &cache)?])
    }

    /// A process of its own: what it costs to start one is part of it.
    fn run_thindist(&self, way: Way, cache: &Path) -> Result<Measured> {
        let line = self.session.workspace.path("compare.rsp");
        let words = [plain_words(&self.session.line), to(self.output)].concat();
        std::fs::write(&line, response_file::join(&words)).map_err(|error| io("write", &line, &error))?;
        let stats = self.session.workspace.path("compare-stats.json");
        let program = self.session.workspace.settings.environment().expect_program()?.to_owned();
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
