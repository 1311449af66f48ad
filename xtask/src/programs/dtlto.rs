//! The same programs by lld itself with thindist as the distributor of its DTLTO: lld's own output byte for byte, and
//! no backend twice. On stores of its own, since the linker entrance makes the same actions.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::figures::checks::{Checks, require};
use crate::figures::stats::{self, Link};
use crate::host::{files, run};

use super::build::Program;
use super::suite::{Suite, figures};

/// The first LLVM whose lld has it.
pub(super) const SINCE: u32 = 21;

/// Links `program` in two directories and compares each output with `in-process` of the linker entrance's checks.
pub(super) fn check(suite: &Suite, checks: &mut Checks, program: &Program) {
    let name = program.recipe.name;
    checks.record(&format!("{name}: DTLTO from an empty cache"), first(suite, program));
    checks.record(&format!("{name}: DTLTO again in another directory"), again(suite, program));
}

fn first(suite: &Suite, program: &Program) -> Result<String> {
    let link = link(suite, program, &program.dir, "first")?;
    every_backend(&link)?;
    Ok(format!("{}, {}", figures(&link), equal(&in_process(program), &program.dir.join(OUTPUT))?))
}

fn again(suite: &Suite, program: &Program) -> Result<String> {
    let dir = elsewhere(program)?;
    let link = link(suite, program, &dir, "again")?;
    no_backend(&link)?;
    Ok(format!("{}, {}", figures(&link), equal(&in_process(program), &dir.join(OUTPUT))?))
}

const OUTPUT: &str = "by-dtlto";

fn in_process(program: &Program) -> PathBuf {
    program.dir.join("in-process")
}

fn link(suite: &Suite, program: &Program, dir: &Path, step: &str) -> Result<Link> {
    let name = format!("{}-dtlto-{step}", program.recipe.name);
    let stats = suite.home.fresh_stats(&name)?;
    let mut command = program.link(&suite.lld(), OUTPUT);
    suite.environment(&mut command);
    command.current_dir(dir).env("THINDIST_CACHE_DIR", suite.cache_of_dtlto()).env("THINDIST_STATS", &stats);
    command.arg(format!("-fthinlto-distributor={}", suite.thindist().display()));
    command.arg("-Xthinlto-distributor=distribute");
    run::quiet(&mut command, &suite.home.log(&name))?;
    only_link(&stats)
}

fn only_link(stats: &Path) -> Result<Link> {
    stats::read(stats)?.pop().ok_or_else(|| "the distributor was not asked".to_string())
}

/// The objects under their names in a directory of another path.
fn elsewhere(program: &Program) -> Result<PathBuf> {
    let dir = program.dir.join("elsewhere");
    files::remove_dir(&dir)?;
    files::make_dir(&dir)?;
    for object in &program.objects {
        files::write(&dir.join(object), files::read_bytes(&program.dir.join(object))?)?;
    }
    Ok(dir)
}

fn every_backend(link: &Link) -> Result<()> {
    let (run, modules) = (link.backends.run(), link.modules);
    require(run == modules && run > 1, || format!("{run} backends ran for {modules} modules"))
}

fn no_backend(link: &Link) -> Result<()> {
    let run = link.backends.run();
    require(run == 0, || format!("{run} backends ran"))
}

fn equal(in_process: &Path, ours: &Path) -> Result<String> {
    let (theirs, ours) = (files::read_bytes(in_process)?, files::read_bytes(ours)?);
    let place = theirs.iter().zip(&ours).position(|(theirs, ours)| theirs != ours);
    require(theirs == ours, || {
        let what = place.map_or_else(|| "by its length".to_string(), |place| format!("from byte {place} on"));
        format!("the output is not lld's own: it differs {what}")
    })?;
    Ok(format!("{} bytes are lld's own", ours.len()))
}

/// What a linker's script runs beside the link of cargo's program: both ways into a directory that `BESIDE` names.
pub(super) fn beside(suite: &Suite) -> String {
    let (lld, thindist) = (suite.lld(), suite.thindist());
    format!(
        "{lld} \"$@\" -o \"$BESIDE/in-process\" > \"$BESIDE/log\" 2>&1; \
         THINDIST_CACHE_DIR={cache} THINDIST_STATS=\"$BESIDE/stats\" THINDIST_FALLBACK=never {lld} \"$@\" \
         -o \"$BESIDE/{OUTPUT}\" --thinlto-distributor={thindist} --thinlto-distributor-arg=distribute \
         --thinlto-remote-compiler=/usr/bin/clang-{llvm} >> \"$BESIDE/log\" 2>&1",
        llvm = suite.llvm,
        lld = lld.display(),
        thindist = thindist.display(),
        cache = suite.cache_of_dtlto().display(),
    )
}

/// Which backends run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    All,
    None,
    /// Bitcode of a source that a build script has generated names the target directory: it is other bitcode in another one.
    Some,
}

impl Run {
    fn check(self, link: &Link) -> Result<()> {
        let (run, modules) = (link.backends.run(), link.modules);
        match self {
            Self::All => every_backend(link),
            Self::None => no_backend(link),
            Self::Some => require(run < modules, || format!("{run} backends ran for {modules} modules")),
        }
    }
}

/// What came of [`beside`].
pub(super) fn was_beside(dir: &Path, expected: Run) -> Result<String> {
    let log = || run::tail(&dir.join("log"));
    let link = only_link(&dir.join("stats")).map_err(|error| format!("{error}\n{}", log()))?;
    expected.check(&link)?;
    let bytes = equal(&dir.join("in-process"), &dir.join(OUTPUT)).map_err(|error| format!("{error}\n{}", log()))?;
    Ok(format!("{}, {bytes}", figures(&link)))
}
