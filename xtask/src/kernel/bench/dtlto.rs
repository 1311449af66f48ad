//! `cargo xtask bench dtlto`: lld's DTLTO on vmlinux.o, through thindist and through a distributor that runs one job after
//! the other, beside in-process ThinLTO; by turns, in one run.
//!
//! DTLTO alone cannot compile a kernel: the serial distributor is given the two options that lld leaves out.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::require;
use crate::figures::measure::{self, Usage, median};
use crate::figures::{stats, table};
use crate::host::machine::{self, Machine};
use crate::host::project::Home;
use crate::host::{apt, cargo, files};
use crate::kernel::build::Linker;
use crate::kernel::checkout::{HOME, Kernel};
use crate::kernel::dtlto;

const LEFT_OUT: [&str; 2] = ["--thinlto-remote-compiler-arg=-mcmodel=kernel", "--thinlto-remote-compiler-arg=-fno-pic"];

/// What one round measured.
#[derive(Debug, Serialize)]
struct Round {
    in_process: Usage,
    serial: Usage,
    cold: Usage,
    unchanged: Usage,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    machine: Machine,
    rounds: Vec<Round>,
}

struct Bench {
    kernel: Kernel,
    home: Home,
    thindist: PathBuf,
    dir: PathBuf,
}

/// The task `bench dtlto`. The kernel must have been built.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, 1)?;
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(22), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let thindist = Linker::thindist(cargo::install_thindist(&home)?).program()?;
    let dir = home.dir.join("bench-dtlto");
    let bench = Bench { kernel: Kernel::usual(&home, 22), home, thindist, dir };
    files::make_dir(&bench.dir)?;
    let rounds = (1..=rounds).map(|number| bench.round(number)).collect::<Result<Vec<_>>>()?;
    files::remove_dir(&bench.dir)?;
    publish(Report { schema: 1, machine: machine::describe(22), rounds })
}

impl Bench {
    /// Who goes first changes with each round; the link on warm stores needs the one on cold ones before it.
    fn round(&self, number: u32) -> Result<Round> {
        let cache = self.dir.join(format!("cache-{number}"));
        let ours = || {
            let cold = self.thindist("cold", &cache, true)?;
            Ok::<_, String>((cold, self.thindist("unchanged", &cache, false)?))
        };
        if number.is_multiple_of(2) {
            let (serial, in_process) = (self.serial(&cache)?, self.link("in-process", &[], &cache)?);
            let (cold, unchanged) = ours()?;
            return Ok(Round { in_process, serial, cold, unchanged });
        }
        let (cold, unchanged) = ours()?;
        let in_process = self.link("in-process", &[], &cache)?;
        Ok(Round { in_process, serial: self.serial(&cache)?, cold, unchanged })
    }

    fn thindist(&self, step: &str, cache: &Path, runs_all: bool) -> Result<Usage> {
        let stats = self.home.fresh_stats("bench-dtlto")?;
        let options = dtlto::options(&self.kernel, &self.thindist, "distribute");
        let usage = self.link(step, &options, cache)?;
        let link = stats::read(&stats)?.pop().ok_or("the distributor was not asked")?;
        let expected = if runs_all { link.modules } else { 0 };
        require(link.backends.run() == expected, || format!("{} backends ran: {step}", link.backends.run()))?;
        Ok(usage)
    }

    fn serial(&self, cache: &Path) -> Result<Usage> {
        let ourselves = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
        let mut options = dtlto::options(&self.kernel, &ourselves, "serial-distributor");
        options.extend(LEFT_OUT.map(String::from));
        self.link("serial", &options, cache)
    }

    fn link(&self, step: &str, more: &[String], cache: &Path) -> Result<Usage> {
        let output = self.dir.join("vmlinux.o");
        let mut command = dtlto::command(&self.kernel, &output, more, cache)?;
        command.env("THINDIST_STATS", self.home.dir.join("stats/bench-dtlto.json"));
        let usage = measure::measured(&mut command, &self.home.log(&format!("bench-dtlto-{step}")))?;
        eprintln!("  {step}: {:.2} s wall, {:.1} s CPU", usage.wall_s, usage.cpu_s);
        files::remove_file(&output)?;
        Ok(usage)
    }
}

fn publish(report: Report) -> Result<()> {
    let of = |usage: fn(&Round) -> &Usage| median(report.rounds.iter().map(|round| usage(round).wall_s).collect());
    let serial = of(|round| &round.serial);
    let mut rows = vec![table::row(["DTLTO on vmlinux.o", "s", "/ serial"])];
    for (name, seconds) in [
        ("one job after the other", serial),
        ("in-process ThinLTO", of(|round| &round.in_process)),
        ("thindist, empty stores", of(|round| &round.cold)),
        ("thindist, unchanged", of(|round| &round.unchanged)),
    ] {
        rows.push(table::row([name, &format!("{seconds:.2}"), &format!("{:.2}", seconds / serial)]));
    }
    let path = measure::keep("dtlto", &report)?;
    print!("\n{}", table::render(&rows));
    println!("\nMedians of {} rounds; all figures are in {}.", report.rounds.len(), path.display());
    Ok(())
}
