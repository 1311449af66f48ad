//! The Linux kernel as a test: built with `LD=ld.thindist`, verified, edited, booted and measured.
//!
//! A `Kernel` is sources plus a build directory plus one LLVM version. The steps know nothing of the checks
//! (`checks`), of the demo or of the bench that are made of them.

pub(crate) mod bench;
pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod checkout;
pub(crate) mod checks;
pub(crate) mod config;
mod dist;
mod dtlto;
pub(crate) mod edits;
pub(crate) mod link_line;
mod linked;
mod modules;
mod names;
mod older;
mod own_option;
mod remote;
pub(crate) mod source;
mod suite;
pub(crate) mod ways;

use crate::Result;
use crate::command::arguments;
use crate::command::task::{self, Task};
use crate::host::project::Home;
use crate::host::{apt, cargo};

use build::Linker;
use checkout::{HOME, Kernel};
use suite::Suite;

const STEPS: &[Task] = &[
    Task { name: "build", help: "configure and build vmlinux and bzImage [--llvm N] [--in-process]", run: build_step },
    Task { name: "verify", help: "thindist verify on the link of vmlinux.o [--llvm N]", run: verify_step },
    Task { name: "link", help: "vmlinux.o with any LLVM, against lld's [--llvm N]", run: link_step },
    Task { name: "edits", help: "the counted edits [--llvm N]", run: edits_step },
    Task { name: "boot", help: "boot to the init, compare the configuration [--llvm N]", run: boot_step },
    Task { name: "reconfigure", help: "change the configuration, rebuild, boot [--llvm N]", run: reconfigure_step },
    Task {
        name: "second",
        help: "a second directory, the same cache; --full compiles all [--llvm N]",
        run: second_step,
    },
    Task {
        name: "dist",
        help: "the option of kbuild/, from what `build` has built; --full cleans and compiles again [--llvm N]",
        run: dist_step,
    },
    Task {
        name: "dist-small",
        help: "its second half alone: a small kernel from nothing [--full] [--llvm N]",
        run: dist_small_step,
    },
    Task { name: "names", help: "stable names of promoted values: boot, edits, verify [--llvm N]", run: names_step },
    Task {
        name: "dtlto",
        help: "vmlinux.o by lld with thindist as distributor; --cold on stores of its own",
        run: dtlto_step,
    },
    Task {
        name: "remote",
        help: "vmlinux.o on real engines [casd|buildbarn|bazel-remote]…, from what `build` has built",
        run: remote_step,
    },
    Task { name: "7.2", help: "7.2's own option, no patch; --full compiles all again", run: own_option_step },
    Task { name: "6.1", help: "an older kernel, no patch [--llvm N]", run: older_step },
    Task { name: "check", help: "all of these for LLVM 22 and 19, as `cargo xtask test` does", run: check_step },
];

/// The task `kernel`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    task::dispatch(STEPS, "cargo xtask kernel", arguments)
}

/// What every step needs: the packages, the home and the kernel that was asked for.
fn start(mut arguments: Vec<String>) -> Result<(Home, Kernel)> {
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(22);
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(llvm), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let kernel = Kernel::usual(&home, llvm);
    Ok((home, kernel))
}

fn build_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let in_process = arguments::take_flag(&mut arguments, "--in-process");
    let (home, kernel) = start(arguments)?;
    let linker = if in_process { Linker::InProcess } else { Linker::thindist(cargo::install_thindist(&home)?) };
    edits::prepare(&kernel, &home)?;
    // make does not see that the linker behind the same name has changed.
    build::forget_link(&kernel)?;
    build::make(&kernel, &home, &linker, "build", build::ALL).map(drop)
}

fn verify_step(arguments: &[String]) -> Result<()> {
    let (home, kernel) = start(arguments.to_vec())?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    link_line::verify(&kernel, &home, &linker).map(drop)
}

fn link_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(22);
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(llvm), apt::kernel_tools()].concat())?;
    let mut suite = Suite::open(Home::open(HOME)?)?;
    let kernel = Kernel::in_tree(&suite.home, "tree", llvm);
    linked::check(&mut suite, &kernel)?;
    suite.checks.finish()
}

fn boot_step(arguments: &[String]) -> Result<()> {
    let (home, kernel) = start(arguments.to_vec())?;
    println!("{}", boot::check(&kernel, &home, "boot")?);
    Ok(())
}

fn edits_step(arguments: &[String]) -> Result<()> {
    let (mut suite, kernel) = start_suite(arguments.to_vec())?;
    checks::edits(&mut suite, &kernel);
    suite.checks.finish()
}

fn reconfigure_step(arguments: &[String]) -> Result<()> {
    let (mut suite, kernel) = start_suite(arguments.to_vec())?;
    checks::reconfigure(&mut suite, &kernel);
    suite.checks.finish()
}

fn second_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let full = arguments::take_flag(&mut arguments, "--full");
    let (mut suite, kernel) = start_suite(arguments)?;
    checks::second_directory(&mut suite, kernel.llvm, full);
    suite.checks.finish()
}

fn dist_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let full = arguments::take_flag(&mut arguments, "--full");
    let (mut suite, kernel) = start_suite(arguments)?;
    dist::check(&mut suite, &kernel, full);
    suite.checks.finish()
}

fn dist_small_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let full = arguments::take_flag(&mut arguments, "--full");
    let (mut suite, kernel) = start_suite(arguments)?;
    dist::small_kernel(&mut suite, &kernel, full);
    suite.checks.finish()
}

fn names_step(arguments: &[String]) -> Result<()> {
    let (mut suite, kernel) = start_suite(arguments.to_vec())?;
    checks::stable_names(&mut suite, &kernel);
    suite.checks.finish()
}

fn dtlto_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let cold = arguments::take_flag(&mut arguments, "--cold");
    let (mut suite, kernel) = start_suite(arguments)?;
    checks::distributor(&mut suite, &kernel, cold);
    suite.checks.finish()
}

fn remote_step(arguments: &[String]) -> Result<()> {
    let (mut suite, kernel) = start_suite(Vec::new())?;
    remote::check(&mut suite, &kernel, arguments)?;
    suite.checks.finish()
}

fn own_option_step(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let full = arguments::take_flag(&mut arguments, "--full");
    let (mut suite, _) = start_suite(arguments)?;
    checks::own_option(&mut suite, full);
    suite.checks.finish()
}

fn older_step(arguments: &[String]) -> Result<()> {
    apt::ensure(&apt::older_kernel())?;
    let (mut suite, kernel) = start_suite(arguments.to_vec())?;
    checks::older(&mut suite, kernel.llvm);
    suite.checks.finish()
}

fn check_step(arguments: &[String]) -> Result<()> {
    arguments::reject_rest(arguments)?;
    apt::ensure(&apt::everything())?;
    checks::run_all()
}

fn start_suite(arguments: Vec<String>) -> Result<(Suite, Kernel)> {
    let (home, kernel) = start(arguments)?;
    Ok((Suite::open(home)?, kernel))
}
