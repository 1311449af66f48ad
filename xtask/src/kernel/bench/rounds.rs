//! The rounds: who links what, in which order, and from which cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::measure::{self, Usage, in_turn};
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::{files, machine};
use crate::kernel::build::{self, Linker};
use crate::kernel::checkout::Kernel;
use crate::kernel::edits::Edited;
use crate::kernel::link_line;

/// One link by thindist: measured from outside, and what it says itself.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Thindist {
    pub(crate) usage: Usage,
    pub(crate) backends_run: u64,
    /// Of thindist's own process, which `usage` cannot tell from its compilers.
    pub(crate) coordinator_peak_rss_kib: u64,
}

/// Everything that one round measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    pub(crate) cold_thindist: Thindist,
    pub(crate) cold_in_process: Usage,
    pub(crate) unchanged_thindist: Thindist,
    pub(crate) unchanged_lld_cache: Usage,
    pub(crate) edit_thindist: Thindist,
    pub(crate) edit_in_process: Usage,
    pub(crate) edit_lld_cache: Usage,
    /// The file that most import from.
    pub(crate) hot_thindist: Thindist,
    pub(crate) hot_lld_cache: Usage,
    /// `--version`: what thindist adds to a line that is lld's alone.
    pub(crate) version_thindist_s: f64,
    pub(crate) version_lld_s: f64,
}

/// One run takes some ten milliseconds, on a machine that does other things as well.
const VERSION_RUNS: usize = 21;

/// The kernel under measurement and where its caches are.
struct Bench<'a> {
    kernel: &'a Kernel,
    home: &'a Home,
    linker: &'a Linker,
    dir: PathBuf,
    threads: String,
}

pub(crate) fn all(kernel: &Kernel, home: &Home, linker: &Linker, rounds: u32) -> Result<Vec<Round>> {
    let dir = home.dir.join("bench");
    files::remove_dir(&dir)?;
    files::make_dir(&dir)?;
    let bench = Bench { kernel, home, linker, dir, threads: format!("--threads={}", machine::cpus()) };
    let measured = (1..=rounds).map(|number| {
        eprintln!("round {number} of {rounds}");
        bench.round(number)
    });
    let measured = measured.collect();
    files::remove_dir(&bench.spent())?;
    measured
}

impl Bench<'_> {
    fn round(&self, number: u32) -> Result<Round> {
        self.put_away(&self.thindist_cache(), number)?;
        self.put_away(&self.lld_cache(), number)?;
        self.compile(|| Edited::all(self.kernel).iter().try_for_each(Edited::restore))?;
        let thindist_first = !number.is_multiple_of(2);
        let (cold_thindist, cold_in_process) =
            in_turn(thindist_first, || self.thindist("cold"), || self.in_process("cold-in-process"))?;
        self.lld_with_cache("fill-lld-cache")?;
        let (unchanged_thindist, unchanged_lld_cache) =
            in_turn(thindist_first, || self.thindist("unchanged"), || self.lld_with_cache("unchanged-lld-cache"))?;
        self.compile(|| Edited::leaf(self.kernel).append(u64::from(number)))?;
        let (edit_thindist, edit_in_process) =
            in_turn(thindist_first, || self.thindist("edit"), || self.in_process("edit-in-process"))?;
        let edit_lld_cache = self.lld_with_cache("edit-lld-cache")?;
        self.compile(|| Edited::hot(self.kernel).append(u64::from(number)))?;
        let (hot_thindist, hot_lld_cache) =
            in_turn(thindist_first, || self.thindist("hot"), || self.lld_with_cache("hot-lld-cache"))?;
        self.compile(|| Edited::hot(self.kernel).restore())?;
        // The leaf's object of the link before is in lld's private cache alone, and runs once more.
        require(hot_thindist.backends_run <= 2, || {
            format!("{} backends ran for a hot file", hot_thindist.backends_run)
        })?;
        let (unchanged, edited) = (unchanged_thindist.backends_run, edit_thindist.backends_run);
        require(edited == 1, || format!("{edited} backends ran for an edit of one leaf"))?;
        require(unchanged == 0, || format!("{unchanged} backends ran for an unchanged link"))?;
        let (version_thindist_s, version_lld_s) = self.versions()?;
        Ok(Round {
            version_thindist_s,
            version_lld_s,
            cold_thindist,
            cold_in_process,
            unchanged_thindist,
            unchanged_lld_cache,
            edit_thindist,
            edit_in_process,
            edit_lld_cache,
            hot_thindist,
            hot_lld_cache,
        })
    }

    /// Moves a cache out of the way. To delete it now would slow down whoever makes files next: ext4 passes over every inode
    /// that was deleted in the last half-minute (seen: 0.5 s more for a thin link that writes a thousand indexes).
    fn put_away(&self, cache: &Path, number: u32) -> Result<()> {
        let spent = self.spent();
        files::make_dir(&spent)?;
        let name = cache.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files::rename_if_there(cache, &spent.join(format!("{number}-{name}")))
    }

    fn spent(&self) -> PathBuf {
        self.dir.join("spent")
    }

    /// Edits and compiles. `make vmlinux.a` would not: to Kbuild a goal of that form is a single target. So it links
    /// as well, through another cache; the link that is measured follows.
    fn compile(&self, edit: impl FnOnce() -> Result<()>) -> Result<()> {
        edit()?;
        build::make(self.kernel, self.home, self.linker, "bench-compile", &["vmlinux_o"]).map(drop)
    }

    /// Medians of runs by turns.
    fn versions(&self) -> Result<(f64, f64)> {
        let Linker::Thindist(thindist) = self.linker else {
            return Err("the bench measures thindist".to_string());
        };
        let log = self.home.log("bench-version");
        let seconds = |program: &Path| {
            let mut command = Command::new(program);
            command.arg("--version");
            build::set_environment(&mut command, self.kernel.llvm, &self.thindist_cache());
            Ok::<_, String>(measure::measured(&mut command, &log)?.wall_s)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..VERSION_RUNS {
            ours.push(seconds(thindist)?);
            theirs.push(seconds(&self.lld())?);
        }
        Ok((measure::median(ours), measure::median(theirs)))
    }

    fn thindist(&self, step: &str) -> Result<Thindist> {
        let Linker::Thindist(program) = self.linker else {
            return Err("the bench measures thindist".to_string());
        };
        let stats = self.home.fresh_stats(&format!("bench-{step}"))?;
        let usage = self.link(step, program, &[], &stats)?;
        let links = stats::read(&stats)?;
        let link: &Link = links.last().ok_or("thindist recorded no link")?;
        let backends_run = link.backends.run();
        Ok(Thindist { usage, backends_run, coordinator_peak_rss_kib: link.peak_rss_kib })
    }

    fn in_process(&self, step: &str) -> Result<Usage> {
        self.link(step, &self.lld(), &[], Path::new(""))
    }

    fn lld_with_cache(&self, step: &str) -> Result<Usage> {
        let option = format!("--thinlto-cache-dir={}", self.lld_cache().display());
        self.link(step, &self.lld(), &[option], Path::new(""))
    }

    /// The same line for everybody, with the same number of threads.
    fn link(&self, step: &str, program: &Path, more: &[String], stats: &Path) -> Result<Usage> {
        // One name for all: who links again under the same name repeats the line.
        let output = self.dir.join("vmlinux.o");
        let arguments = [std::slice::from_ref(&self.threads), more].concat();
        let mut command = link_line::command(self.kernel, program, &output, &arguments)?;
        build::set_environment(&mut command, self.kernel.llvm, &self.thindist_cache());
        if !stats.as_os_str().is_empty() {
            command.env("THINDIST_STATS", stats);
        }
        let usage = measure::measured(&mut command, &self.home.log(&format!("bench-{step}")))?;
        eprintln!("  {step}: {:.2} s wall, {:.1} s CPU", usage.wall_s, usage.cpu_s);
        files::remove_file(&output)?;
        Ok(usage)
    }

    fn lld(&self) -> PathBuf {
        PathBuf::from(format!("ld.lld-{}", self.kernel.llvm))
    }

    fn thindist_cache(&self) -> PathBuf {
        self.dir.join("thindist-cache")
    }

    fn lld_cache(&self) -> PathBuf {
        self.dir.join("lld-cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn turns_change_the_order_and_not_the_results() {
        for (first_first, expected) in [(true, "ab"), (false, "ba")] {
            let order = RefCell::new(String::new());
            let note = |name: char| {
                order.borrow_mut().push(name);
                Ok(name)
            };
            assert_eq!(in_turn(first_first, || note('a'), || note('b')), Ok(('a', 'b')));
            assert_eq!(*order.borrow(), expected);
        }
    }
}
