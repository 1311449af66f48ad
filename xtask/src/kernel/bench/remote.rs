//! `cargo xtask bench remote`: what an engine adds to an action, how many actions a second a client can start and fetch, and the link of
//! vmlinux.o here, with every object fetched, and on two workers, in turn.
//!
//! The workers are on this machine and share its cores: what is measured is what the way over an engine costs, not what more machines
//! gain.

use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::command::arguments;
use crate::engine::subject::Place;
use crate::figures::checks::require;
use crate::figures::measure::{self, Usage, median};
use crate::figures::stats;
use crate::figures::table;
use crate::host::machine::{self, Machine};
use crate::host::project::Home;
use crate::host::{apt, cargo, files, run};
use crate::kernel::build::{self, Linker};
use crate::kernel::checkout::{HOME, Kernel};
use crate::kernel::link_line;
use crate::{Result, engine};

const LLVM: u32 = 22;

/// The JSON file.
#[derive(Serialize)]
struct Report {
    schema: u32,
    machine: Machine,
    actions: Actions,
    rounds: Vec<Round>,
}

/// What the example `measure` of thindist-remote says.
#[derive(Debug, Serialize, Deserialize)]
struct Actions {
    bare_ms: f64,
    null_ms: f64,
    engine_ms: f64,
    actions: u32,
    at_a_time: u32,
    actions_per_s: f64,
    cpu_ms_per_action: f64,
}

#[derive(Serialize)]
struct Round {
    local: Usage,
    workers: Usage,
    fetched: Usage,
}

struct Bench {
    kernel: Kernel,
    home: Home,
    linker: PathBuf,
    dir: PathBuf,
}

/// The task `bench remote`. The kernel must have been built.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, 1)?;
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(LLVM), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?).path();
    let actions = actions()?;
    let bench = Bench { kernel: Kernel::usual(&home, LLVM), dir: home.dir.join("bench-remote"), home, linker };
    files::remove_dir(&bench.dir)?;
    files::make_dir(&bench.dir)?;
    let rounds = (1..=rounds).map(|number| bench.round(number)).collect::<Result<Vec<_>>>()?;
    files::remove_dir(&bench.dir)?;
    publish(Report { schema: 1, machine: machine::describe(LLVM), actions, rounds })
}

fn actions() -> Result<Actions> {
    let program = cargo::build_example("thindist-remote", "measure")?;
    let said = engine::on_casd(|place| {
        eprintln!("  actions, one after the other and many at a time …");
        run::output(Command::new(&program).arg(place.door.address()))
    })?;
    let text = String::from_utf8_lossy(&said).into_owned();
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}: {text}", program.display()))
}

impl Bench {
    /// Who goes first changes with each round; what is fetched must have been made.
    fn round(&self, number: u32) -> Result<Round> {
        engine::on_buildbarn(|place| {
            let here = || self.link("here", number, None);
            let there = || {
                Ok::<_, String>((self.link("there", number, Some(place))?, self.link("fetched", number, Some(place))?))
            };
            let (local, (workers, fetched)) = if number.is_multiple_of(2) {
                let there = there()?;
                (here()?, there)
            } else {
                (here()?, there()?)
            };
            Ok(Round { local, workers, fetched })
        })
    }

    /// By a client with empty stores.
    fn link(&self, step: &str, number: u32, place: Option<&Place<'_>>) -> Result<Usage> {
        let output = self.dir.join("vmlinux.o");
        let stats = self.home.fresh_stats(&format!("bench-remote-{step}"))?;
        let mut command = link_line::command(&self.kernel, &self.linker, &output, &[])?;
        build::set_environment(&mut command, LLVM, &self.dir.join(format!("cache-{step}-{number}")));
        command.env("THINDIST_STATS", &stats).envs(place.map(Place::settings).unwrap_or_default());
        let usage = measure::measured(&mut command, &self.home.log(&format!("bench-remote-{step}")))?;
        let link = stats::read(&stats)?.pop().ok_or("no link")?;
        let (backends, all) = (&link.backends, link.modules);
        let done = match step {
            "here" => backends.executed,
            "there" => backends.remote_executed,
            _ => backends.remote_cache,
        };
        require(done == all, || format!("{step}: not {all} of them: {backends:?}"))?;
        eprintln!("  vmlinux.o, {step}: {:.2} s wall, {:.1} s CPU", usage.wall_s, usage.cpu_s);
        files::remove_file(&output)?;
        Ok(usage)
    }
}

fn publish(report: Report) -> Result<()> {
    let Actions { bare_ms, null_ms, engine_ms, actions_per_s, cpu_ms_per_action, .. } = report.actions;
    let mut rows = vec![table::row(["an action of a program that copies", "ms", "- by itself"])];
    for (name, ms) in
        [("by itself", bare_ms), ("an engine that answers at once", null_ms), ("buildbox-casd", engine_ms)]
    {
        rows.push(table::row([name, &format!("{ms:.2}"), &format!("{:.2}", ms - bare_ms)]));
    }
    print!("\n{}", table::render(&rows));
    println!(
        "\n{actions_per_s:.0} actions a second, {} at a time, on the engine that answers at once: {cpu_ms_per_action:.2} ms of CPU each, the engine's included.",
        report.actions.at_a_time
    );
    let of = |usage: fn(&Round) -> &Usage| median(report.rounds.iter().map(|round| usage(round).wall_s).collect());
    let local = of(|round| &round.local);
    let mut rows = vec![table::row(["vmlinux.o, empty stores", "s", "/ here"])];
    for (name, seconds) in [
        ("here", local),
        ("on Buildbarn's two workers, on the same cores", of(|round| &round.workers)),
        ("every object fetched", of(|round| &round.fetched)),
    ] {
        rows.push(table::row([name, &format!("{seconds:.2}"), &format!("{:.2}", seconds / local)]));
    }
    let path = measure::keep("remote", &report)?;
    print!("\n{}", table::render(&rows));
    println!("\nMedians of {} rounds; all figures are in {}.", report.rounds.len(), path.display());
    Ok(())
}
