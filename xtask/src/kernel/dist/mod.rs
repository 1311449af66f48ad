//! The option of kbuild/: vmlinux and modules by explicit steps, in kernels with the patches.
//!
//! Two kernels. A large one starts from the tree that `LD=ld.thindist` has built: the sources, the compiled objects and the
//! cache are the same. A small one, of another configuration, is compiled from nothing, several times.

mod bad_input;
mod cost;
mod interrupt;
mod large;
mod modules;
mod option;
pub(crate) mod patches;
mod read_only;
mod small;

use super::checkout::Kernel;
use super::suite::{self, Suite};

/// The issue's own measure of what has to load.
const LEAST_LOADED: usize = 20;

/// All checks of the option. `built` must have been built.
pub(crate) fn check(suite: &mut Suite, built: &Kernel, full: bool) {
    large_kernel(suite, built);
    small_kernel(suite, built, full);
}

/// Those of the kernel that is built whole. Each step continues what the one before it has built, so the first failure ends them.
/// `full` compiles its sources once more.
pub(crate) fn small_kernel(suite: &mut Suite, usual: &Kernel, full: bool) {
    let mut small = match small::Small::prepare(usual.llvm, &suite.home, &suite.linker) {
        Ok(small) => small,
        Err(error) => {
            record(suite, usual, "small kernel configured", Err(error));
            return;
        }
    };
    let steps = small::STEPS.iter().chain(small::FULL_STEPS.iter().filter(|_| full));
    for (name, step) in steps {
        let outcome = step(&mut small);
        if !record(suite, usual, &format!("small kernel: {name}"), outcome) {
            return;
        }
    }
}

fn large_kernel(suite: &mut Suite, built: &Kernel) {
    match patches::tree(&suite.home, "dist", built) {
        Ok(kernel) => with_patches(suite, &kernel),
        Err(error) => drop(suite.record(built, "kbuild/: patches applied, checkpatch passes", Err(error))),
    }
}

fn record(suite: &mut Suite, kernel: &Kernel, name: &str, outcome: crate::Result<String>) -> bool {
    suite.record(kernel, &format!("CONFIG_LTO_CLANG_THIN_DIST: {name}"), outcome)
}

fn with_patches(suite: &mut Suite, kernel: &Kernel) {
    let outcome = large::built(kernel, &suite.home, &suite.linker);
    if !record(suite, kernel, "vmlinux and modules built", outcome) {
        return;
    }
    let outcome = large::verified(kernel, &suite.home, &suite.linker);
    record(suite, kernel, "vmlinux.o is that of `thindist ld`, verify identical", outcome);
    let outcome = modules::verified(kernel, &suite.home, &suite.linker);
    record(suite, kernel, "links of modules: verify identical", outcome);
    let outcome = modules::outside(kernel, &suite.home, &suite.linker);
    record(suite, kernel, "a module out of the tree, with make M=", outcome);
    let outcome = large::edits(kernel, &suite.home, &suite.linker, suite::unseen());
    record(suite, kernel, "nothing, a leaf and sources of modules, a hot file: backends run", outcome);
    let outcome = cost::processes(kernel, &suite.home, &suite.linker);
    record(suite, kernel, "an object is one process, and no shell", outcome);
    let outcome = cost::unchanged(kernel, &suite.home, &suite.linker);
    record(suite, kernel, "what the steps cost on an unchanged tree", outcome);
    let outcome = modules::boots(kernel, &suite.home, LEAST_LOADED);
    record(suite, kernel, "boots, modules load", outcome);
    for (name, outcome) in bad_input::all(kernel, &suite.home, &suite.linker) {
        record(suite, kernel, name, outcome);
    }
}
