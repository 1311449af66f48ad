//! Programs through the linker entrance: from an empty cache, again, run, verified.

use std::process::Command;

use crate::Result;
use crate::figures::checks::{Checks, require};
use crate::figures::stats::{self, Link};
use crate::host::run;

use super::build::Program;
use super::suite::{Suite, all_is_identical, figures};

/// The program links, does what lld's does, links again without a backend, and is verified.
pub(super) fn check(suite: &Suite, checks: &mut Checks, program: &Program) {
    let name = program.recipe.name;
    checks.record(&format!("{name}: linked from an empty cache"), first(suite, program));
    checks.record(&format!("{name}: the same output as in-process"), runs(suite, program));
    checks.record(&format!("{name}: linked again"), again(suite, program));
    checks.record(&format!("{name}: verify"), verify(suite, program));
}

/// One link through thindist, and what it says of it.
fn link(suite: &Suite, program: &Program, step: &str, memo: &str) -> Result<Link> {
    let name = format!("{}-{step}", program.recipe.name);
    let stats = suite.home.fresh_stats(&name)?;
    let mut command = program.link(&suite.linker, "program");
    suite.environment(&mut command);
    command.env("THINDIST_STATS", &stats).env("THINDIST_MEMO", memo);
    run::quiet(&mut command, &suite.home.log(&name))?;
    stats::read(&stats)?.pop().ok_or_else(|| "thindist recorded no link".to_string())
}

fn first(suite: &Suite, program: &Program) -> Result<String> {
    let link = link(suite, program, "first", "1")?;
    let (run, modules) = (link.backends.run(), link.modules);
    require(run == modules && run > 1, || format!("{run} backends ran for {modules} modules"))?;
    Ok(figures(&link))
}

/// Once from the native objects, once from the memo.
fn again(suite: &Suite, program: &Program) -> Result<String> {
    let mut said = Vec::new();
    for (step, memo) in [("objects", "0"), ("memo", "1")] {
        let link = link(suite, program, step, memo)?;
        let (run, linked) = (link.backends.run(), link.way.is_some());
        require(run == 0 && linked == (memo == "0"), || format!("{step}: {run} backends ran, way {:?}", link.way))?;
        said.push(format!("{step}: {}", figures(&link)));
    }
    Ok(said.join("; "))
}

fn runs(suite: &Suite, program: &Program) -> Result<String> {
    let mut command = program.link(&suite.lld(), "in-process");
    run::quiet(&mut command, &suite.home.log(&format!("{}-in-process", program.recipe.name)))?;
    let output = |name: &str| run::output(Command::new(program.dir.join(name)).current_dir(&program.dir));
    let (ours, theirs) = (output("program")?, output("in-process")?);
    require(!ours.is_empty() && ours == theirs, || {
        format!("{}\nin-process: {}", String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs))
    })?;
    Ok(format!("{} lines", ours.iter().filter(|byte| **byte == b'\n').count()))
}

fn verify(suite: &Suite, program: &Program) -> Result<String> {
    let mut command = Command::new(suite.thindist());
    command.current_dir(&program.dir).args(["verify", "--", &program.line(&suite.linker, "verified")?]);
    suite.environment(&mut command);
    let output = command.output().map_err(|error| run::cannot_start(&command, &error))?;
    all_is_identical(&String::from_utf8_lossy(&output.stdout))
}
