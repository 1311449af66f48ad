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
use crate::figures::measure::median;
use crate::host::project::Home;
use crate::host::{apt, cargo, machine};
use crate::{Result, engine};

use super::build::Linker;
use super::checkout::{HOME, Kernel};
use super::link_line;
use page::Figures;
use trees::{LLVM, Way};

/// The task `bench ways`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, 1)?;
    let only_first = arguments::take_flag(&mut arguments, "--first");
    arguments::reject_rest(&arguments)?;
    apt::ensure(&[apt::llvm(LLVM), apt::kernel()].concat())?;
    let home = Home::open(HOME)?;
    let linker = Linker::thindist(cargo::install_thindist(&home)?);
    let ways = trees::prepare(&home, &linker, !only_first)?;
    if only_first {
        return first(&ways, &home, rounds);
    }
    let rounds = engine::on_casd(|place| {
        let shared = place.door.address();
        (0..rounds).map(|number| steps::all(&ways, &home, &shared, number)).collect::<Result<_>>()
    })?;
    let sizes = ways.iter().map(|way| way.sizes(&home)).collect::<Result<_>>()?;
    let compared = compare(&ways, &home, &linker)?;
    page::publish(&machine::describe(LLVM), &Figures { rounds, sizes, compared })
}

/// The first link by the option beside in-process: what users of it see first, and all that a quarter of an hour has room for.
fn first(ways: &[Way], home: &Home, rounds: u32) -> Result<()> {
    let rows = (0..rounds).map(|number| steps::first(ways, home, number)).collect::<Result<Vec<_>>>()?;
    let column =
        |position: usize| rows.iter().filter_map(move |row| row.made.get(position)).map(|made| made.usage.wall_s);
    let [theirs, ours] = [0, 1].map(|position| median(column(position).collect()));
    println!("{}: in-process {theirs:.1} s, the option {ours:.1} s, ratio {:.2}", steps::FIRST, ours / theirs);
    Ok(())
}

/// The link alone, without make, compilers and objtool.
fn compare(ways: &[Way], home: &Home, linker: &Linker) -> Result<String> {
    let by_linker = ways.iter().find(|way| matches!(way.linker, Linker::Thindist(_)));
    let kernel: &Kernel = &by_linker.ok_or("no way names thindist as its linker")?.kernel;
    link_line::compare(kernel, home, linker)
}
