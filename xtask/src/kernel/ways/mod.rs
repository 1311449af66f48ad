//! `cargo xtask bench ways` measures the answer to "in-process or distributed?" and writes
//! docs/in-process-or-distributed.md.
//!
//! The same kernel is built in each way that there is, in a tree of its own with stores of its own, and goes through the same
//! steps; at each step the ways take turns, and who begins changes. The page is made of a text and of what was measured, and of
//! nothing else: whoever doubts a figure makes the page again.

mod page;
mod steps;
mod trees;

use crate::command::arguments;
use crate::host::project::Home;
use crate::host::{apt, cargo, machine};
use crate::{Result, engine};

use super::build::Linker;
use super::checkout::{HOME, Kernel};
use super::link_line;
use trees::Way;

const LLVM: u32 = 22;

/// Everything that was measured.
struct Figures {
    rounds: Vec<Vec<steps::Row>>,
    sizes: Vec<trees::Sizes>,
    /// What `thindist compare` printed of the link of vmlinux.o.
    compared: String,
}

/// The task `bench ways`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, 1)?;
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(LLVM), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    let ways = trees::prepare(&home, &linker)?;
    let rounds = engine::on_casd(|place| {
        let shared = place.door.address();
        (0..rounds).map(|number| steps::all(&ways, &home, &shared, number)).collect::<Result<_>>()
    })?;
    let sizes = ways.iter().map(|way| way.sizes(&home)).collect::<Result<_>>()?;
    let compared = compare(&ways, &home, &linker)?;
    page::publish(&machine::describe(LLVM), &Figures { rounds, sizes, compared })
}

/// The link alone, without make, compilers and objtool.
fn compare(ways: &[Way], home: &Home, linker: &Linker) -> Result<String> {
    let by_linker = ways.iter().find(|way| matches!(way.linker, Linker::Thindist(_)));
    let kernel: &Kernel = &by_linker.ok_or("no way names thindist as its linker")?.kernel;
    link_line::compare(kernel, home, linker)
}
