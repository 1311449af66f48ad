//! The link of vmlinux.o with any LLVM: by thindist as a user has it, against that of lld alone.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats;
use crate::host::{files, run};

use super::build;
use super::checkout::Kernel;
use super::suite::{LEAST_MODULES, Suite};
use super::{edits, link_line};

/// Compiles the kernel as far as its modules, and links them: by lld, from empty stores, and again from what those have then.
pub(crate) fn check(suite: &mut Suite, kernel: &Kernel) -> Result<()> {
    edits::prepare(kernel, &suite.home)?;
    suite.make(kernel, "link", &["vmlinux_o"])?;
    let by_lld = by_lld(suite, kernel)?;
    files::remove_dir(&cache(suite, kernel))?;
    for (name, is_cold) in [("from empty stores", true), ("again", false)] {
        let outcome = linked(suite, kernel, &by_lld, is_cold);
        suite.record(kernel, &format!("vmlinux.o {name}"), outcome);
    }
    files::remove_dir(&cache(suite, kernel))
}

fn output(suite: &Suite, kernel: &Kernel) -> PathBuf {
    suite.home.dir.join(format!("{}.o", kernel.log_name("linked")))
}

fn cache(suite: &Suite, kernel: &Kernel) -> PathBuf {
    suite.home.dir.join(kernel.log_name("linked-cache"))
}

fn by_lld(suite: &Suite, kernel: &Kernel) -> Result<Vec<u8>> {
    let (name, output) = (kernel.log_name("linked-by-lld"), output(suite, kernel));
    let lld = format!("ld.lld-{}", kernel.llvm);
    let mut command = link_line::command(kernel, Path::new(&lld), &output, &[])?;
    build::set_environment(&mut command, kernel.llvm, &suite.home.cache());
    run::logged(&name, &mut command, &suite.home.log(&name))?;
    files::read_bytes(&output)
}

fn linked(suite: &Suite, kernel: &Kernel, by_lld: &[u8], is_cold: bool) -> Result<String> {
    let (name, output) = (kernel.log_name("linked"), output(suite, kernel));
    files::remove_file(&output)?;
    let stats = suite.home.fresh_stats(&name)?;
    let mut command = link_line::command(kernel, &suite.linker.path(), &output, &[])?;
    build::set_environment(&mut command, kernel.llvm, &cache(suite, kernel));
    command.env("THINDIST_STATS", &stats).env("THINDIST_MEMO", "0");
    run::logged(&name, &mut command, &suite.home.log(&name))?;
    let same = files::read_bytes(&output)? == by_lld;
    files::remove_file(&output)?;
    require(same, || "it is not lld's".to_owned())?;
    let link = stats::read(&stats)?.pop().ok_or("no link was recorded")?;
    let (modules, run) = (link.modules, link.backends.run());
    require(modules >= LEAST_MODULES, || format!("only {modules} modules"))?;
    require(is_cold == (run > 0), || format!("{run} backends ran"))?;
    Ok(format!("{} bytes are lld's, {modules} modules, {run} backends", by_lld.len()))
}
