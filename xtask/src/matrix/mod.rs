//! `cargo xtask matrix`: each version of LLVM that there is a package of, tried, and the page that says so.
//!
//! A version of this release is installed; of another suite it gets a root below `target/`, once. What came of a version is
//! kept, so that one alone can be tried again; docs/llvm-versions.md is written when there is something of each.

mod page;
mod place;
mod trials;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::Checks;
use crate::host::apt;
use crate::host::project::Home;

use page::{Cell, Row};
use place::Place;
use trials::{EACH_DAY, KERNEL, Programs, Subject, TRIALS, Trial};

const HOME: &str = "matrix";

/// Those that the project says something of.
const VERSIONS: std::ops::RangeInclusive<u32> = 14..=24;

/// Of the versions beside the two that everything is tried with, those whose kernel is linked.
const WITH_KERNEL: [u32; 3] = [16, 21, 23];

/// What `cargo xtask test` has anyway, and the one that no suite has a package of.
const NEVER_OF_THE_DAY: [u32; 3] = [19, 20, 22];

const USUAL_SEEDS: u32 = 40;

/// The task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let seeds = arguments::take_number(&mut arguments, "--seeds")?.unwrap_or(USUAL_SEEDS);
    if arguments::take_flag(&mut arguments, "--today") {
        arguments::reject_rest(&arguments)?;
        return of_the_day(seeds);
    }
    let from = arguments::take_number(&mut arguments, "--from")?.unwrap_or_else(today);
    let with_kernel = !arguments::take_flag(&mut arguments, "--no-kernel");
    let wanted = versions(&arguments)?;
    let matrix = Matrix { home: Home::open(HOME)?, programs: Programs::build()?, seeds, from };
    let mut checks = Checks::default();
    for llvm in wanted {
        let kernel = (with_kernel && WITH_KERNEL.contains(&llvm)).then_some(&KERNEL);
        let trials: Vec<&Trial> = TRIALS.iter().chain(kernel).collect();
        let row = matrix.version(llvm, &trials, &mut checks)?;
        page::keep(&matrix.home, llvm, &row)?;
    }
    page::write(&matrix.home, VERSIONS)?;
    checks.finish()
}

/// Two versions that change from day to day, as part of the tests, without kernels. Roots cannot be made everywhere: then the
/// two are of this release.
pub(crate) fn of_the_day(seeds: u32) -> Result<()> {
    let roots = place::expect_that_roots_can_be_made();
    let mut all: Vec<u32> = VERSIONS.filter(|llvm| !NEVER_OF_THE_DAY.contains(llvm)).collect();
    if let Err(why) = &roots {
        println!("== LEFT OUT: versions of LLVM that are no packages of this release: {why}");
        all.retain(|llvm| apt::are_offered(&apt::llvm(*llvm)));
    }
    let matrix = Matrix { home: Home::open(HOME)?, programs: Programs::build()?, seeds, from: today() };
    let chosen = of_day(&all, today());
    println!("== LLVM {chosen:?} of the versions {all:?}, random links from {}", matrix.from);
    let mut checks = Checks::default();
    let trials: Vec<&Trial> = TRIALS.iter().take(EACH_DAY).collect();
    for llvm in chosen {
        // That a suite which changes every day cannot be installed today is no fault of ours.
        if let Err(why) = matrix.version(llvm, &trials, &mut checks) {
            println!("== LEFT OUT: LLVM {llvm}: {why}");
        }
    }
    checks.finish()
}

/// Two neighbours: within days each version has had its turn.
fn of_day(all: &[u32], day: u32) -> Vec<u32> {
    let at = |number: u32| all.get(number as usize % all.len().max(1)).copied();
    [at(2 * day), at(2 * day + 1)].into_iter().flatten().collect()
}

/// Days since 1970: seeds that are new each day and the same within one.
fn today() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(now.as_secs() / 86_400).unwrap_or(0)
}

fn versions(arguments: &[String]) -> Result<Vec<u32>> {
    if arguments.is_empty() {
        return Ok(VERSIONS.collect());
    }
    let read = |word: &String| {
        let version = word.parse().ok().filter(|version| VERSIONS.contains(version));
        version.ok_or_else(|| format!("`{word}` is no version of {} to {}", VERSIONS.start(), VERSIONS.end()))
    };
    arguments.iter().map(read).collect()
}

struct Matrix {
    home: Home,
    programs: Programs,
    seeds: u32,
    from: u32,
}

impl Matrix {
    /// Tries a version.
    fn version(&self, llvm: u32, trials: &[&Trial], checks: &mut Checks) -> Result<Row> {
        let with_kernel = trials.iter().any(|trial| trial.name == KERNEL.name);
        let extra = if with_kernel { apt::kernel_tools() } else { Vec::new() };
        let Some(place) = Place::provide(&self.home, llvm, &extra)? else {
            println!("left  LLVM {llvm}: no suite has a package of it");
            return Ok(Row::without_package());
        };
        let (home, programs) = (&self.home, &self.programs);
        let subject = Subject { llvm, place: &place, programs, home, seeds: self.seeds, from: self.from };
        let cells = trials.iter().map(|trial| (trial.name.to_owned(), tried(trial, &subject, checks))).collect();
        Ok(Row { version: version_of(&place, llvm)?, place: place.name().to_owned(), cells })
    }
}

fn tried(trial: &Trial, subject: &Subject<'_>, checks: &mut Checks) -> Cell {
    let outcome = (trial.run)(subject);
    let cell = outcome.clone().unwrap_or_else(|_| "FAILED".to_owned());
    checks.record(&format!("LLVM {}: {}", subject.llvm, trial.name), outcome);
    cell
}

/// As its lld says.
fn version_of(place: &Place, llvm: u32) -> Result<String> {
    let mut command = place.command(format!("/usr/bin/ld.lld-{llvm}").as_ref());
    let said = crate::host::run::output(command.arg("--version"))?;
    let said = String::from_utf8_lossy(&said);
    let version = said.split_once("LLD ").and_then(|(_, rest)| rest.split_whitespace().next());
    version.map(str::to_owned).ok_or_else(|| format!("ld.lld-{llvm} has no version: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_day() {
        let all: Vec<u32> = (14..=24).collect();
        let seen: std::collections::BTreeSet<u32> = (0..11).flat_map(|day| of_day(&all, day)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
        assert_eq!(of_day(&[14, 15], 3), [14, 15]);
        assert!(versions(&["13".to_owned()]).is_err());
        assert_eq!(versions(&["23".to_owned()]), Ok(vec![23]));
    }
}
