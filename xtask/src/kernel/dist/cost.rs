//! The cost of the added steps: the processes for an object, and the time if nothing has changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::measure;
use crate::host::project::Home;
use crate::host::{files, run};

use super::super::build::{self, Linker};
use super::super::checkout::Kernel;
use super::option::SUFFIX;

/// Native objects that are removed, so that make has to get them.
const REMOVED: usize = 100;

/// Programs other than thindist that the steps may start: make itself, and a shell for the archive with what it runs.
const OTHERS: usize = 10;

const ROUNDS: usize = 5;

/// `scripts/Makefile.thinlto` alone, as Makefile.vmlinux_o calls it.
fn steps(kernel: &Kernel, home: &Home, linker: &Linker, start: &[&str]) -> Result<Command> {
    let words = [start, &["make", "-rR", "--no-print-directory", "-f", "scripts/Makefile.thinlto"]].concat();
    let mut command = Command::new(words.first().copied().unwrap_or_default());
    command.args(words.iter().skip(1)).current_dir(&kernel.out);
    command.args(["srctree=.", "objtree=.", "quiet=quiet_", "Q=@"]);
    command.arg(format!("AR=llvm-ar-{}", kernel.llvm)).arg(format!("THINLTO_SUFFIX={SUFFIX}"));
    command.arg(format!("THINDIST={}", linker.program()?.display()));
    build::set_environment(&mut command, kernel.llvm, &home.cache());
    Ok(command)
}

/// Counts every program that is started while make gets a hundred objects.
pub(super) fn processes(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let objects = files::read(&kernel.out.join("vmlinux.thinlto-objects"))?;
    for native in objects.lines().filter(|line| line.ends_with(SUFFIX)).take(REMOVED) {
        files::remove_file(&kernel.out.join(native))?;
    }
    let trace = home.dir.join("dist-exec.trace");
    let path = trace.display().to_string();
    let strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve", "-e", "signal=none", "-o", &path];
    run::quiet(&mut steps(kernel, home, linker, &strace)?, &home.log("dist-exec"))?;
    let mut started = started(&files::read(&trace)?);
    let thindist = started.remove("thindist").unwrap_or_default();
    require(thindist == REMOVED, || format!("thindist was started {thindist} times for {REMOVED} objects"))?;
    let others: usize = started.values().sum();
    require(others <= OTHERS, || format!("{others} other programs were started: {started:?}"))?;
    Ok(format!("{thindist} of thindist for {REMOVED} objects; others for all together: {started:?}"))
}

/// Programs that strace saw started, by name.
fn started(trace: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in trace.lines().filter(|line| line.trim_end().ends_with("= 0")) {
        let program = line.split_once("execve(\"").and_then(|(_, rest)| rest.split('"').next());
        let name =
            program.and_then(|program| Path::new(program).file_name()).map(|name| name.to_string_lossy().into_owned());
        *counts.entry(name.unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// Printed, not judged: the time is the machine's as well.
pub(super) fn unchanged(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let steps = median(|| steps(kernel, home, linker, &[]), home)?;
    let version = median(|| Ok(version(&linker.program()?)), home)?;
    let objects = files::read(&kernel.out.join("vmlinux.thinlto-objects"))?.lines().count();
    Ok(format!(
        "{:.3} s for {objects} objects: {steps:.3} s of make for their targets, twice {version:.3} s to see that thindist is there and is the same",
        steps + 2.0 * version
    ))
}

fn version(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--version");
    command
}

fn median(command: impl Fn() -> Result<Command>, home: &Home) -> Result<f64> {
    let time = |_| {
        let mut command = command()?;
        let start = Instant::now();
        run::quiet(&mut command, &home.log("dist-unchanged"))?;
        Ok(start.elapsed().as_secs_f64())
    };
    Ok(measure::median((0..ROUNDS).map(time).collect::<Result<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_were_started_are_counted_by_name() {
        let trace = "11 execve(\"/usr/bin/make\", [\"make\"], 0x1 /* 3 vars */) = 0\n\
                     12 execve(\"/x/thindist\", [\"thindist\"], 0x1) = -1 ENOENT (No such file or directory)\n\
                     12 execve(\"/y/thindist\", [\"thindist\", \"a = 0\"], 0x1) = 0\n";
        assert_eq!(started(trace), BTreeMap::from([("make".into(), 1), ("thindist".into(), 1)]));
    }
}
