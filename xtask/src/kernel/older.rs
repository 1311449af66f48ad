//! An older kernel that is still in use, 6.1, with `LD=ld.thindist` and nothing else.

use std::path::Path;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::project::Home;

use super::build::{self, Linker};
use super::checkout::Kernel;
use super::edits::Edited;
use super::{boot, config, link_line, source};

const TARBALL: &str = "/usr/src/linux-source-6.1.tar.xz";

/// Fewer would mean that Kconfig dropped the subset: this kernel has some hundred files less than 6.12.
const LEAST_MODULES: u64 = 800;

/// Sources, and the configuration of the other kernels.
pub(crate) fn prepare(home: &Home, llvm: u32) -> Result<Kernel> {
    let kernel = Kernel::in_tree(home, "linux-6.1", llvm);
    source::provide_from(home, Path::new(TARBALL), &kernel.src)?;
    Edited::leaf(&kernel).restore()?;
    config::apply(&kernel, home, "")?;
    Ok(kernel)
}

/// The link of vmlinux.o among `links`, if it was whole.
fn whole(links: &[Link]) -> Result<&Link> {
    let link = stats::of_vmlinux_o(links)?;
    require(link.modules >= LEAST_MODULES, || format!("only {} modules, expected {LEAST_MODULES}", link.modules))?;
    require(link.backends.fallback == 0, || format!("{} backends fell back", link.backends.fallback))?;
    Ok(link)
}

pub(crate) fn built(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    build::forget_link(kernel)?;
    let links = build::make(kernel, home, linker, "build", build::ALL)?;
    let link = whole(&links)?;
    Ok(format!("{} modules, {} backends run, {} reused", link.modules, link.backends.run(), link.backends.reused()))
}

pub(crate) fn verified(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    link_line::verify(kernel, home, linker)
}

pub(crate) fn edits(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<String> {
    let leaf = Edited::leaf(kernel);
    let run_of = |step: &str| Ok::<_, String>(stats::run_in(&build::make(kernel, home, linker, step, &["vmlinux"])?));
    let nothing = run_of("nothing")?;
    require(nothing == 0, || format!("nothing changed: {nothing} backends ran"))?;
    leaf.append(number)?;
    let edited = run_of("append")?;
    leaf.restore()?;
    let reverted = run_of("revert")?;
    require(edited == 1, || format!("a function added to fs/readdir.c: {edited} backends ran"))?;
    require(reverted == 0, || format!("fs/readdir.c reverted: {reverted} backends ran"))?;
    Ok("0, 1; reverted: 0".to_string())
}

pub(crate) fn boots(kernel: &Kernel, home: &Home) -> Result<String> {
    boot::check(kernel, home, "boot")
}
