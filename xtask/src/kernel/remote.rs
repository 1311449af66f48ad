//! The link of vmlinux.o on real engines: its backends there, and a client with no other store.

use std::path::Path;

use crate::Result;
use crate::engine::{self, subject};
use crate::figures::checks::require;
use crate::host::files;

use super::checkout::Kernel;
use super::edits::Edited;
use super::suite::{LEAST_MODULES, Suite, unseen};
use super::{build, link_line};

/// On the engines that are named, or on each. The kernel must have been built.
pub(super) fn check(suite: &mut Suite, kernel: &Kernel, engines: &[String]) -> Result<()> {
    let Suite { home, linker, checks } = suite;
    require(kernel.out.join(".vmlinux.o.cmd").exists(), || "`cargo xtask kernel build` comes first".to_owned())?;
    let work = crate::host::project::Home { dir: home.dir.join("remote") };
    files::make_dir(&work.dir)?;
    let leaf = Edited::leaf(kernel);
    let compiled = |step: &str, change: &dyn Fn() -> Result<()>| {
        change()?;
        build::make(kernel, home, linker, step, &["fs/readdir.o"]).map(drop)
    };
    let words = |output: &Path| link_line::arguments(kernel, output);
    let outcome = engine::on_each(engines, checks, |place, checks| {
        let subject = subject::Subject {
            home: &work,
            linker: linker.path(),
            directory: kernel.out.clone(),
            words: &words,
            llvm: kernel.llvm,
            environment: build::environment(kernel.llvm),
            least_modules: LEAST_MODULES,
        };
        let edit = || compiled("remote-edit", &|| leaf.append(unseen()));
        subject::check(&subject, place, &edit, checks);
        compiled("remote-revert", &|| leaf.restore())
    });
    files::remove_dir(&work.dir)?;
    outcome
}
