//! The task `test`: what CI runs.

use std::time::Instant;

use crate::command::arguments;
use crate::host::{apt, cargo, run};
use crate::kernel::checks;
use crate::{Result, engine, fuzz, links, matrix, programs};

const LINTS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
];

const TESTS: &[&[&str]] = &[&["test", "--workspace"]];

/// For oneself, between two edits: the end-to-end tests with one LLVM, and without those that take minutes.
const FAST_TESTS: &[&[&str]] = &[
    &["test", "--workspace", "--exclude", "thindist"],
    &["test", "-p", "thindist", "--", "--skip", "llvm_19", "--skip", "remote_random_faults"],
];

/// For each target: enough for the seeds and what is near them. `cargo xtask fuzz` takes its time.
const FUZZ_SECONDS: u32 = 5;

/// The same of the two versions that change from day to day.
const LINKS_OF_THE_DAY: u32 = 10;

/// Random links for each LLVM and each way: a quarter of a second each. `cargo xtask fuzz links` takes any number.
const LINKS: u32 = 60;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let fast = arguments::take_flag(&mut arguments, "--fast");
    arguments::reject_rest(&arguments)?;
    apt::ensure(&if fast { compilers() } else { apt::everything() })?;
    let start = Instant::now();
    for stage in LINTS.iter().chain(if fast { FAST_TESTS } else { TESTS }) {
        println!("== cargo {}", stage.join(" "));
        run::shown(&mut cargo::command(stage))?;
    }
    println!("== format, clippy and tests took {:.0} s", start.elapsed().as_secs_f64());
    if fast {
        println!(
            "== left out: end-to-end tests with LLVM 19, faults of engines at random, fuzzing, links, programs, kernels"
        );
        return Ok(());
    }
    // Each says what it has found, whatever the one before it has.
    let fuzzed = fuzz::briefly(FUZZ_SECONDS);
    let linked = links::briefly(LINKS);
    let versions = matrix::of_the_day(LINKS_OF_THE_DAY);
    let engines = engine::check_one();
    println!("== programs");
    let programs = programs::check_small();
    let kernel = checks::run_all();
    eprintln!("== everything took {:.0} s", start.elapsed().as_secs_f64());
    let failed: Vec<String> =
        [fuzzed, linked, versions, engines, programs, kernel].into_iter().filter_map(Result::err).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// What the tests need without the kernel: both compilers, and what builds and drives small programs.
fn compilers() -> Vec<String> {
    let others = ["gcc", "libc6-dev", "make", "procps", "qemu-user"].map(String::from).to_vec();
    [apt::compilers(), apt::build_systems(), apt::shells(), others].concat()
}
