//! Real programs through the linker entrance and through DTLTO: compiled to ThinLTO bitcode once, linked in each way, run.
//!
//! The sources come with crates of the registry, fetched by cargo; nothing of them is part of this repository.

mod bench;
mod build;
mod dtlto;
mod entrance;
mod recipes;
mod rust;
mod suite;

pub(crate) use bench::run as bench;

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::Checks;
use crate::host::apt;

use recipes::Recipe;
use suite::{LLVM, Suite, Wanted, packages};

/// The task `programs`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(LLVM);
    let (wanted, cargo) = Wanted::read(arguments)?;
    if llvm != LLVM && !cargo.is_empty() {
        return Err(format!("rustc's LLVM is {LLVM}: cargo's programs cannot be linked with {llvm}"));
    }
    check(&wanted, &cargo, llvm)
}

/// Fetches the sources of the programs that are always checked.
pub(crate) fn fetch() -> Result<()> {
    Suite::fetch(&Wanted::Small).map(drop)
}

/// Links, verifies and runs the programs that are always checked.
pub(crate) fn check_small() -> Result<()> {
    check(&Wanted::Small, &[], LLVM)
}

fn check(wanted: &Wanted, cargo: &[&str], llvm: u32) -> Result<()> {
    apt::ensure(&packages(llvm))?;
    let suite = Suite::open(wanted, llvm)?;
    let mut checks = Checks::default();
    for recipe in &suite.recipes {
        one(&suite, &mut checks, recipe);
    }
    rust::check(&suite, &mut checks, cargo);
    checks.finish()
}

fn one(suite: &Suite, checks: &mut Checks, recipe: &'static Recipe) {
    match suite.compile(recipe) {
        Ok(program) => {
            entrance::check(suite, checks, &program);
            if suite.llvm >= dtlto::SINCE {
                dtlto::check(suite, checks, &program);
            }
        }
        Err(error) => drop(checks.record(&format!("{}: compiled", recipe.name), Err(error))),
    }
}
