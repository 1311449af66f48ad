//! What one link did, as one JSON object: `THINDIST_STATS`.

use crate::failure::{Failure, Result, io};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// The object that `THINDIST_STATS` receives, one line a link.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    schema: u32,
    output: String,
    /// How lld was driven, and why so; the first is absent where lld did the link as if there were no thindist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<&'static str>,
    /// The reason for that way, or why nothing was harvested; absent if there is nothing to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// ThinLTO modules of the link.
    pub modules: usize,
    /// How those modules came by their native objects.
    pub backends: BackendCounts,
    /// Seconds.
    phases_s: BTreeMap<&'static str, f64>,
    /// The largest resident size of thindist itself; tools that it ran are not in it.
    peak_rss_kib: u64,
}

/// How the modules came by their native objects.
#[derive(Debug, Default, Serialize)]
pub(crate) struct BackendCounts {
    /// This machine compiled them, in a backend of ours or in lld.
    pub executed: usize,
    /// The whole link was remembered.
    pub(crate) memo: usize,
    pub(crate) local_cache: usize,
    pub(crate) remote_cache: usize,
    pub(crate) remote_executed: usize,
    pub(crate) fallback: usize,
}

impl BackendCounts {
    /// Nothing has been counted.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { executed, memo, local_cache, remote_cache, remote_executed, fallback } = self;
        [executed, memo, local_cache, remote_cache, remote_executed, fallback].into_iter().all(|count| *count == 0)
    }
}

impl Stats {
    /// The figures of a link to `output` that has done nothing yet.
    pub(crate) fn of(output: &str) -> Self {
        let phases = ["thin_link", "plan", "backends", "final_link", "total"];
        Self {
            schema: 1,
            output: output.to_owned(),
            way: None,
            why: String::new(),
            modules: 0,
            backends: BackendCounts::default(),
            phases_s: phases.map(|phase| (phase, 0.0)).into(),
            peak_rss_kib: 0,
        }
    }

    /// A link of so many bitcode inputs that lld does in-process.
    pub(crate) fn of_fallback(output: &str, modules: usize) -> Self {
        let backends = BackendCounts { fallback: modules, ..BackendCounts::default() };
        Self { modules, backends, ..Self::of(output) }
    }

    pub(crate) fn finish(&mut self, timer: &Timer) {
        for (phase, seconds) in &timer.phases {
            self.phases_s.insert(phase, *seconds);
        }
        self.phases_s.insert("total", timer.start.elapsed().as_secs_f64());
        self.peak_rss_kib = peak_rss_kib();
    }

    /// Appends the object in one write, so that links side by side do not mix their lines.
    pub(crate) fn append_to(&self, path: &Path) -> Result<()> {
        let mut line = serde_json::to_string(self).map_err(Failure::of)?;
        line.push('\n');
        let open = OpenOptions::new().append(true).create(true).open(path);
        open.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| io("write", path, &error))
    }
}

/// Measures phases; a phase that comes twice is added up.
#[derive(Debug)]
pub(crate) struct Timer {
    start: Instant,
    last: Instant,
    phases: BTreeMap<&'static str, f64>,
}

impl Timer {
    /// Starts the first phase, and the total, now.
    pub(crate) fn start() -> Self {
        let start = Instant::now();
        Self { start, last: start, phases: BTreeMap::new() }
    }

    /// All since the last call was this phase.
    pub(crate) fn phase(&mut self, name: &'static str) {
        let now = Instant::now();
        *self.phases.entry(name).or_default() += (now - self.last).as_secs_f64();
        self.last = now;
    }
}

/// `VmHWM` of this process in KiB; 0 where there is no /proc.
fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
