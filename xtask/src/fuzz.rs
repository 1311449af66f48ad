//! `cargo xtask fuzz`: every target of fuzz/, on the compiler that the project is built with.
//!
//! Coverage comes from LLVM's own pass, which a stable rustc takes as an option; sanitizers would need a nightly one, and find
//! little in code without `unsafe`. A crash, a hang of ten seconds and a gigabyte of memory are failures; the input that did it is kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::arguments;
use crate::host::project::{self, Home};
use crate::host::{files, run};
use crate::{Result, links, random_edits};

/// As the issue of fuzzing asks for; `cargo xtask test` takes fewer.
const USUAL_SECONDS: u32 = 600;

const HOST: &str = "x86_64-unknown-linux-gnu";

const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// The task `fuzz`: the targets that are named, or all.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("links", rest)) => return links::run(rest),
        Some(("edits", rest)) => return random_edits::run(rest),
        _ => {}
    }
    let mut arguments = arguments.to_vec();
    let seconds = arguments::take_number(&mut arguments, "--seconds")?.unwrap_or(USUAL_SECONDS);
    let known = targets()?;
    if let Some(unknown) = arguments.iter().find(|name| !known.contains(name)) {
        return Err(format!("there is no fuzz target `{unknown}`; there are {}", known.join(", ")));
    }
    let chosen = if arguments.is_empty() { known } else { arguments };
    all(&chosen, seconds)
}

/// Every target for so many seconds.
pub(crate) fn briefly(seconds: u32) -> Result<()> {
    all(&targets()?, seconds)
}

fn all(chosen: &[String], seconds: u32) -> Result<()> {
    let home = Home::open("fuzz")?;
    let programs = build(&home)?;
    for name in chosen {
        println!("pass  fuzz, {name}: {}", one(&home, &programs, name, seconds)?);
    }
    println!("{} fuzz targets passed", chosen.len());
    Ok(())
}

/// A target is a file of fuzz/fuzz_targets.
fn targets() -> Result<Vec<String>> {
    let paths = files::list(&project::root().join("fuzz/fuzz_targets"))?;
    Ok(paths.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect())
}

/// Builds all and says where they are. `--target` keeps the instrumentation out of build scripts.
fn build(home: &Home) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--target", HOST, "--manifest-path"]);
    cargo.arg(project::root().join("fuzz/Cargo.toml")).arg("--target-dir").arg(&home.dir);
    cargo.env("RUSTFLAGS", INSTRUMENTED);
    run::logged("build the fuzz targets", &mut cargo, &home.log("build"))?;
    Ok(home.dir.join(HOST).join("release"))
}

/// Runs one; what it finds interesting stays below target/, beside the seeds of the repository.
fn one(home: &Home, programs: &Path, name: &str, seconds: u32) -> Result<String> {
    let found = home.dir.join("corpus").join(name);
    let crashes = home.dir.join("crashes").join(name);
    [&found, &crashes].into_iter().try_for_each(|directory| files::make_dir(directory))?;
    let mut command = Command::new(programs.join(name));
    command.arg(&found).arg(project::root().join("fuzz/corpus").join(name));
    command.arg(format!("-max_total_time={seconds}")).args([
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    let log = home.log(name);
    run::logged(&format!("fuzz {name}"), &mut command, &log)?;
    let said = files::read_bytes(&log)?;
    executed(&String::from_utf8_lossy(&said))
        .ok_or_else(|| format!("{}: it does not say how many inputs it ran", log.display()))
}

/// A target that ran nothing has shown nothing.
fn executed(log: &str) -> Option<String> {
    let count = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?.trim();
    let some = count.parse::<u64>().ok()? > 0;
    some.then(|| format!("{count} inputs, no crash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_ran_nothing_has_shown_nothing() {
        assert_eq!(executed("x\nstat::number_of_executed_units: 12\n").unwrap(), "12 inputs, no crash");
        assert_eq!(executed("stat::number_of_executed_units: 0\n"), None);
        assert_eq!(executed(""), None);
    }

    #[test]
    fn every_target_has_seeds() {
        for name in targets().unwrap() {
            let seeds = files::list(&project::root().join("fuzz/corpus").join(&name)).unwrap();
            assert!(!seeds.is_empty(), "fuzz/corpus/{name} is empty");
        }
    }
}
