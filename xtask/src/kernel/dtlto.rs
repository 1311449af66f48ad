//! The link of vmlinux.o by lld itself, with thindist as the distributor of its DTLTO.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::project::Home;
use crate::host::{files, run};

use super::build::{self, Linker};
use super::checkout::Kernel;
use super::link_line;

/// lld's options for a distributor and its first argument.
pub(crate) fn options(kernel: &Kernel, program: &Path, task: &str) -> Vec<String> {
    vec![
        format!("--thinlto-distributor={}", program.display()),
        format!("--thinlto-distributor-arg={task}"),
        format!("--thinlto-remote-compiler=/usr/bin/clang-{}", kernel.llvm),
    ]
}

/// `ld.lld` on the kernel's line with `more`, into `output`, with thindist's stores in `cache`.
pub(crate) fn command(kernel: &Kernel, output: &Path, more: &[String], cache: &Path) -> Result<Command> {
    command_of(Path::new(&format!("ld.lld-{}", kernel.llvm)), kernel, output, more, cache)
}

fn command_of(lld: &Path, kernel: &Kernel, output: &Path, more: &[String], cache: &Path) -> Result<Command> {
    let mut command = link_line::command(kernel, lld, output, more)?;
    build::set_environment(&mut command, kernel.llvm, cache);
    Ok(command)
}

/// vmlinux.o of lld with thindist as its distributor, byte for byte, symbols in their order. With `cold`, on stores of its own,
/// against that of lld alone: all backends run, and the next link runs none. Else on the stores of a build through ld.thindist,
/// against its vmlinux.o, which `verify` compares with that of lld alone: no backend may run.
pub(crate) fn check(kernel: &Kernel, home: &Home, linker: &Linker, cold: bool) -> Result<String> {
    let output = home.dir.join(format!("{}-dtlto.o", kernel.name));
    let (of, mut expected) = if cold {
        ("in-process", command(kernel, &output, &[], &home.cache())?)
    } else {
        ("ld.thindist", command_of(&linker.path(), kernel, &output, &[], &home.cache())?)
    };
    let name = kernel.log_name(&format!("dtlto-{of}"));
    run::logged(&name, &mut expected, &home.log(&name))?;
    let expected = files::read_bytes(&output)?;
    let cache = if cold { fresh_cache(home)? } else { home.cache() };
    let first = link(kernel, home, linker, &output, &cache)?;
    require(files::read_bytes(&output)? == expected, || format!("vmlinux.o is not the one of {of}"))?;
    let ran = first.backends.run();
    require(cold == (ran > 0), || format!("{ran} backends ran"))?;
    if cold {
        let again = link(kernel, home, linker, &output, &cache)?.backends.run();
        require(again == 0, || format!("{again} backends ran in the second link"))?;
    }
    files::remove_file(&output)?;
    Ok(format!("{} modules, {ran} backends run, {} bytes equal", first.modules, expected.len()))
}

fn fresh_cache(home: &Home) -> Result<PathBuf> {
    let cache = home.dir.join("dtlto-cache");
    files::remove_dir(&cache)?;
    Ok(cache)
}

fn link(kernel: &Kernel, home: &Home, linker: &Linker, output: &Path, cache: &Path) -> Result<Link> {
    let name = kernel.log_name("dtlto");
    let stats = home.fresh_stats(&name)?;
    let mut command = command(kernel, output, &options(kernel, &linker.program()?, "distribute"), cache)?;
    run::logged(&name, command.env("THINDIST_STATS", &stats), &home.log(&name))?;
    let link = stats::read(&stats)?.pop().ok_or("the distributor was not asked")?;
    require(link.modules >= super::suite::LEAST_MODULES, || format!("only {} modules", link.modules))?;
    require(link.backends.fallback == 0, || format!("{} backends fell back", link.backends.fallback))?;
    Ok(link)
}
