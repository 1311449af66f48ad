//! `cargo xtask bench kernel`: the link of vmlinux.o through thindist and in-process, alternating in one run.
//!
//! Figures of two runs on a shared machine cannot be compared; figures that took turns within one run can. A goal that
//! is missed is reported and is no failure: times are never assertions.

pub(crate) mod dtlto;
pub(crate) mod edited;
pub(crate) mod remote;
mod report;
mod rounds;

use crate::Result;
use crate::command::arguments;
use crate::host::project::Home;
use crate::host::{apt, cargo, machine};

use super::build::{self, Linker};
use super::checkout::{HOME, Kernel};
use super::edits::{self, Edited};

const USUAL_ROUNDS: u32 = 3;

/// The task `bench kernel`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, USUAL_ROUNDS)?;
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(22);
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(llvm), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    let kernel = Kernel::usual(&home, llvm);
    prepare(&kernel, &home, &linker)?;
    let measured = rounds::all(&kernel, &home, &linker, rounds);
    Edited::leaf(&kernel).restore()?;
    report::publish(machine::describe(llvm), &measured?)
}

/// Builds the kernel as far as the archive of its modules, and once through the linker for the saved command.
fn prepare(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<()> {
    edits::prepare(kernel, home)?;
    build::make(kernel, home, linker, "bench-prepare", &["vmlinux_o"]).map(drop)
}
