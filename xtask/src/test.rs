//! The task `test`: what CI runs.

use std::time::Instant;

use crate::kernel::suite;
use crate::{Result, apt, arguments, cargo, engine, run};

const STAGES: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--workspace"],
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let fast = arguments::take_flag(&mut arguments, "--fast");
    arguments::reject_rest(&arguments)?;
    apt::ensure(&if fast { compilers() } else { apt::everything() })?;
    let start = Instant::now();
    for stage in STAGES {
        println!("== cargo {}", stage.join(" "));
        run::shown(&mut cargo::command(stage))?;
    }
    println!("== format, clippy and tests took {:.0} s", start.elapsed().as_secs_f64());
    if fast {
        return Ok(());
    }
    let engines = engine::check_all();
    let result = suite::run_all().and(engines);
    eprintln!("== everything took {:.0} s", start.elapsed().as_secs_f64());
    result
}

/// What the tests need without the kernel: both compilers, and what builds and drives small programs.
fn compilers() -> Vec<String> {
    let others = ["gcc", "libc6-dev", "make", "procps"].map(String::from).to_vec();
    [apt::llvm(19), apt::llvm(22), others].concat()
}
