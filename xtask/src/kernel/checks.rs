//! The kernel checks of `cargo xtask test`: each is a named line, and everything is counted from `THINDIST_STATS`.
//!
//! One build for each LLVM version takes most of the time, so the checks of a version share it, and so does the second
//! directory share its cache.

use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::files;
use crate::host::project::Home;

use super::build::{self, Goal, Linker};
use super::checkout::{HOME, Kernel};
use super::edits::Edited;
use super::suite::{LEAST_MODULES, Suite, unseen};
use super::{boot, config, dist, dtlto, edits, link_line, names, older, own_option, source};

/// Of the hot file; 66 were seen. Fewer would show little.
const LEAST_IMPORTERS: u64 = 30;

/// The LLVM of what is make's doing or ours and no LLVM's; `cargo xtask kernel STEP --llvm N` tries it with another.
const FOR_THE_REST: u32 = 22;

/// Shows in the kernel's version which configuration was booted.
const SUFFIX: &str = "-edited";

/// Everything of 6.12, from an empty cache: a hit must come from this run. 7.2 and 6.1 are steps of their own, because each compiles
/// another kernel.
pub(crate) fn run_all() -> Result<()> {
    let mut suite = Suite::open(Home::open(HOME)?)?;
    files::remove_dir(&suite.home.cache())?;
    for llvm in [22, 19] {
        let kernel = Kernel::usual(&suite.home, llvm);
        one_version(&mut suite, &kernel);
        if llvm == FOR_THE_REST {
            reconfigure(&mut suite, &kernel);
        }
    }
    second_directory(&mut suite, FOR_THE_REST, false);
    let kernel = Kernel::usual(&suite.home, FOR_THE_REST);
    stable_names(&mut suite, &kernel);
    dist::check(&mut suite, &kernel, false);
    suite.checks.finish()
}

/// 7.2's own option, without a patch.
pub(crate) fn own_option(suite: &mut Suite, full: bool) {
    let linker = Linker::WithCompiler(suite.linker.path());
    let kernel = match own_option::prepare(&suite.home, &linker) {
        Ok(kernel) => kernel,
        Err(error) => {
            suite.checks.record("kernel 7.2: sources and configuration", Err(error));
            return;
        }
    };
    let outcome = own_option::built(&kernel, &suite.home, &linker);
    if !suite.checks.record("kernel 7.2, its own option: vmlinux and modules built", outcome) {
        return;
    }
    let outcome = own_option::same_bytes(&kernel, &suite.home);
    suite.checks.record("kernel 7.2: each native object is what clang alone makes of lld's own index", outcome);
    let outcome = own_option::boots(&kernel, &suite.home);
    suite.checks.record("kernel 7.2: boots, modules load, /proc/config.gz is .config", outcome);
    let outcome = own_option::edits(&kernel, &suite.home, &linker, unseen());
    suite.checks.record("kernel 7.2: nothing, a leaf, a hot file: backends compiled", outcome);
    let outcome = own_option::verified(&kernel, &suite.home, &linker);
    suite.checks.record("kernel 7.2: `thindist verify` of its modules, the hot file edited", outcome);
    let outcome = own_option::warm(&kernel, &suite.home, &linker, full);
    suite.checks.record("kernel 7.2: built again on the warm cache: 0 backends compiled", outcome);
}

/// An older kernel, without a patch.
pub(crate) fn older(suite: &mut Suite, llvm: u32) {
    let kernel = match older::prepare(&suite.home, llvm) {
        Ok(kernel) => kernel,
        Err(error) => {
            suite.checks.record("kernel 6.1: sources and configuration", Err(error));
            return;
        }
    };
    let outcome = older::built(&kernel, &suite.home, &suite.linker);
    if !suite.record(&kernel, "6.1 built through ld.thindist", outcome) {
        return;
    }
    let outcome = older::verified(&kernel, &suite.home, &suite.linker);
    suite.record(&kernel, "6.1: verify: native objects and output sections identical", outcome);
    let outcome = older::boots(&kernel, &suite.home);
    suite.record(&kernel, "6.1 boots to its init, /proc/config.gz is .config", outcome);
    let outcome = older::edits(&kernel, &suite.home, &suite.linker, unseen());
    suite.record(&kernel, "6.1: nothing, a leaf: backends run", outcome);
}

/// As the distributor of lld's DTLTO. `kernel` must have been built.
pub(crate) fn distributor(suite: &mut Suite, kernel: &Kernel, cold: bool) {
    let outcome = dtlto::check(kernel, &suite.home, &suite.linker, cold);
    let name = if cold {
        "every backend run, vmlinux.o byte for byte that of lld alone"
    } else {
        "what ld.thindist has compiled, vmlinux.o byte for byte the one that verify has found identical"
    };
    suite.record(kernel, &format!("DTLTO: {name}"), outcome);
}

/// `THINDIST_PROMOTED_NAMES=stable`. `kernel` must have been built.
pub(crate) fn stable_names(suite: &mut Suite, kernel: &Kernel) {
    let outcome = names::check(kernel, &suite.home, &suite.linker, unseen());
    suite.record(kernel, "stable names: boots; edits change no name and run a backend each; verify", outcome);
}

fn one_version(suite: &mut Suite, kernel: &Kernel) {
    let outcome = built(suite, kernel);
    if !suite.record(kernel, "built through ld.thindist from an empty cache", outcome) {
        // Without a build each further check would repeat this failure.
        return;
    }
    // The hot edit's `verify` compares every object of this build but one.
    edits(suite, kernel);
    if kernel.llvm >= 21 {
        distributor(suite, kernel, false);
    }
    let outcome = boot::check(kernel, &suite.home, "boot");
    suite.record(kernel, "boots to its init, /proc/config.gz is .config", outcome);
}

/// The configuration changed, rebuilt and booted.
pub(crate) fn reconfigure(suite: &mut Suite, kernel: &Kernel) {
    let outcome = reconfigured(suite, kernel);
    suite.record(
        kernel,
        "configuration changed, rebuilt on the warm cache, booted: /proc/config.gz is .config",
        outcome,
    );
}

fn built(suite: &Suite, kernel: &Kernel) -> Result<String> {
    edits::prepare(kernel, &suite.home)?;
    build::forget_link(kernel)?;
    let links = suite.make(kernel, "build", build::ALL)?;
    let link = whole(&links)?;
    let run = link.backends.run();
    require(run >= LEAST_MODULES, || format!("only {run} backends ran for {} modules", link.modules))?;
    Ok(format!("{} modules, {run} backends run", link.modules))
}

/// The link of vmlinux.o, if it had all the modules and none of them fell back.
fn whole(links: &[Link]) -> Result<&Link> {
    let link = stats::of_vmlinux_o(links)?;
    require(link.modules >= LEAST_MODULES, || format!("only {} modules, expected {LEAST_MODULES}", link.modules))?;
    require(link.backends.fallback == 0, || format!("{} backends fell back", link.backends.fallback))?;
    Ok(link)
}

/// The counted edits, in the order in which a developer makes them, and one of a file that everybody imports from. The kernel must have been built.
pub(crate) fn edits(suite: &mut Suite, kernel: &Kernel) {
    let leaf = Edited::leaf(kernel);
    let outcome = nothing_to_do(suite, kernel);
    suite.record(kernel, "make with nothing changed: 0 backends, no lld", outcome);
    let outcome = relinked(suite, kernel);
    suite.record(kernel, "vmlinux.o linked again: 0 backends, no lld", outcome);
    let outcome = counted(suite, kernel, "append", 1, || leaf.append(unseen()));
    suite.record(kernel, "a function added to fs/readdir.c: 1 backend", outcome);
    let outcome = counted(suite, kernel, "revert", 0, || leaf.restore());
    suite.record(kernel, "fs/readdir.c reverted: 0 backends", outcome);
    let outcome = counted(suite, kernel, "touch", 0, || leaf.touch());
    suite.record(kernel, "fs/readdir.c touched: 0 backends", outcome);
    let outcome = hot_edit(suite, kernel);
    suite.record(kernel, "a function added to arch/x86/kernel/cpu/common.c: 1 backend, verify identical", outcome);
}

/// Many modules import from this one, and their objects stay. That they do is not believed: `verify` compares all
/// that came from the cache with in-process ThinLTO's of the edited kernel.
fn hot_edit(suite: &Suite, kernel: &Kernel) -> Result<String> {
    let hot = Edited::hot(kernel);
    let edited = hot_edited(suite, kernel, &hot);
    // Whatever became of it: the checks that follow are of the kernel as it was.
    counted(suite, kernel, "revert-hot", 0, || hot.restore())?;
    edited
}

fn hot_edited(suite: &Suite, kernel: &Kernel, hot: &Edited) -> Result<String> {
    counted(suite, kernel, "append-hot", 1, || hot.append(unseen()))?;
    let importers = link_line::importers(kernel, &suite.home, hot.object)?;
    require(importers >= LEAST_IMPORTERS, || format!("only {importers} modules import from {}", hot.object))?;
    let verified = link_line::verify(kernel, &suite.home, &suite.linker)?;
    Ok(format!("1 run, although {importers} modules import from it; {verified}"))
}

fn nothing_to_do(suite: &Suite, kernel: &Kernel) -> Result<String> {
    let links = suite.make(kernel, "nothing", &["vmlinux"])?;
    nothing_ran(&links)?;
    Ok(format!("{} links", links.len()))
}

fn relinked(suite: &Suite, kernel: &Kernel) -> Result<String> {
    build::forget_link(kernel)?;
    let links = suite.make(kernel, "relink", &["vmlinux"])?;
    nothing_ran(&links)?;
    Ok(format!("{} objects reused", whole(&links)?.backends.reused()))
}

fn nothing_ran(links: &[Link]) -> Result<()> {
    let run = stats::run_in(links);
    require(run == 0, || format!("{run} backends ran"))?;
    let linked = links.iter().find(|link| link.way.is_some() || link.phases_s.had_thin_link());
    linked.map_or(Ok(()), |link| Err(format!("{} was linked by lld", link.output)))
}

/// Makes the edit, rebuilds, and expects exactly `expected` backends in all links together.
fn counted(
    suite: &Suite,
    kernel: &Kernel,
    step: &str,
    expected: u64,
    edit: impl FnOnce() -> Result<()>,
) -> Result<String> {
    edit()?;
    let links = suite.make(kernel, step, &["vmlinux"])?;
    let link = whole(&links)?;
    let run = stats::run_in(&links);
    require(run == expected, || format!("{run} backends ran, expected {expected}"))?;
    Ok(format!("{run} run, {} reused", link.backends.reused()))
}

/// The kernel embeds its .config with `.incbin`: a key without that file would hand out the old one.
fn reconfigured(suite: &Suite, kernel: &Kernel) -> Result<String> {
    config::apply(kernel, &suite.home, SUFFIX)?;
    let links = suite.make(kernel, "reconfigured", build::ALL)?;
    let link = whole(&links)?;
    let (run, reused) = (link.backends.run(), link.backends.reused());
    require(reused > run, || format!("the cache was not warm: {run} run, {reused} reused"))?;
    let version = boot::check(kernel, &suite.home, "boot-reconfigured")?;
    require(version.contains(SUFFIX), || format!("another kernel was booted: {version}"))?;
    Ok(format!("{run} run, {reused} reused"))
}

/// Directories whose objects are compiled anew in the second tree when it starts as a copy of the first: some 40 files.
const COMPILED_ANEW: &[&str] = &["block", "lib/crypto", "ipc"];

/// The same sources in another directory, linked there by somebody else: every native object comes from the cache.
///
/// That clang makes the same bitcode there is not thindist's doing, so compiling a part of the sources again shows as
/// much as compiling all; `full` compiles all, which takes as long as the first build.
pub(crate) fn second_directory(suite: &mut Suite, llvm: u32, full: bool) {
    let name = if full { "second-full" } else { "second" };
    let kernel = Kernel::in_tree(&suite.home, name, llvm);
    let outcome = second(suite, &kernel, full);
    suite.record(&kernel, "second directory, other user, HOME and TMPDIR, same cache: 0 backends", outcome);
}

fn second(suite: &Suite, kernel: &Kernel, full: bool) -> Result<String> {
    let compiled = if full { "all".to_string() } else { copy_built(suite, kernel)?.to_string() };
    edits::prepare(kernel, &suite.home)?;
    build::forget_link(kernel)?;
    let elsewhere = suite.home.dir.join("somebody-else");
    files::make_dir(&elsewhere)?;
    let somebody_else = |make: &mut Command| {
        // Whole links may not answer: the keys of the actions are the question.
        make.env("THINDIST_MEMO", "0");
        make.env("HOME", &elsewhere).env("TMPDIR", &elsewhere).env("USER", "somebody").env("LOGNAME", "somebody");
    };
    let goal = Goal { step: "build", targets: &["vmlinux"] };
    let links = build::make_with(kernel, &suite.home, &suite.linker, goal, somebody_else)?;
    let run = stats::run_in(&links);
    require(run == 0, || format!("{run} backends ran"))?;
    Ok(format!("{} objects reused, {compiled} files compiled there", whole(&links)?.backends.reused()))
}

fn copy_built(suite: &Suite, kernel: &Kernel) -> Result<usize> {
    let first = Kernel::in_tree(&suite.home, "tree", kernel.llvm);
    source::provide_built(&suite.home, &first.out, &kernel.out)?;
    COMPILED_ANEW.iter().map(|part| source::remove_objects(&kernel.out.join(part))).sum()
}
