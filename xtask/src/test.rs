//! The task `test`: what CI runs.

use std::time::Instant;

use crate::command::arguments;
use crate::host::{apt, cargo, run};
use crate::kernel::checks;
use crate::{Result, engine, fuzz, links, matrix, programs, random_edits};

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

/// Random links for each LLVM, others for each: a quarter of a second for each way. `cargo xtask fuzz links` takes any number.
const LINKS: u32 = 100;

type Task = fn() -> Result<()>;

/// What comes after the tests: each says what it has found, whatever the one before it has.
const TASKS: &[(&str, Task)] = &[
    ("fuzzing", || fuzz::briefly(FUZZ_SECONDS)),
    ("random links", || links::briefly(LINKS)),
    ("random edits", random_edits::briefly),
    ("versions of the day", || matrix::of_the_day(LINKS_OF_THE_DAY)),
    ("an engine", engine::check_one),
    ("programs", programs::check_small),
    ("kernels", checks::run_all),
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let fast = arguments::take_flag(&mut arguments, "--fast");
    arguments::reject_rest(&arguments)?;
    apt::ensure(&if fast { compilers() } else { apt::everything() })?;
    let start = Instant::now();
    for stage in LINTS.iter().chain(if fast { FAST_TESTS } else { TESTS }) {
        timed(&format!("cargo {}", stage.join(" ")), || run::shown(&mut cargo::command(stage)))?;
    }
    println!("== format, clippy and tests took {:.0} s", start.elapsed().as_secs_f64());
    if fast {
        println!(
            "== left out: end-to-end tests with LLVM 19, faults of engines at random, fuzzing, links, programs, kernels"
        );
        return Ok(());
    }
    let failed: Vec<String> = TASKS.iter().filter_map(|(name, task)| timed(name, task).err()).collect();
    println!("== everything took {:.0} s", start.elapsed().as_secs_f64());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn timed(name: &str, stage: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let start = Instant::now();
    let outcome = stage();
    println!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
    outcome
}

/// What the tests need without the kernel: both compilers, and what builds and drives small programs.
fn compilers() -> Vec<String> {
    let others = ["gcc", "libc6-dev", "make", "procps", "qemu-user"].map(String::from).to_vec();
    [apt::compilers(), apt::build_systems(), apt::shells(), others].concat()
}
