//! `THINDIST_PROMOTED_NAMES=stable` on the kernel: names of promoted local values that an edit does not change.

use std::collections::BTreeSet;
use std::process::Command;

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats::{self, Link};
use crate::host::files;
use crate::host::project::Home;

use super::build::{self, Goal, Linker};
use super::checkout::Kernel;
use super::edits::Edited;
use super::{boot, link_line};

/// What LLVM puts between a name and its suffix.
const PROMOTED: &str = ".llvm.";

/// Fewer would mean that nothing was promoted.
const LEAST_NAMES: usize = 100;

const STABLE: (&str, &str) = ("THINDIST_PROMOTED_NAMES", "stable");

fn make(kernel: &Kernel, home: &Home, linker: &Linker, step: &str) -> Result<Vec<Link>> {
    let stable = |make: &mut Command| {
        make.env(STABLE.0, STABLE.1);
    };
    let goal = Goal { step: &format!("stable-{step}"), targets: build::ALL };
    build::make_with(kernel, home, linker, goal, stable)
}

/// The promoted names of vmlinux.
fn promoted(kernel: &Kernel) -> Result<BTreeSet<String>> {
    let map = files::read(&kernel.out.join("System.map"))?;
    let names = map.lines().filter_map(|line| line.split_whitespace().nth(2));
    Ok(names.filter(|name| name.contains(PROMOTED)).map(String::from).collect())
}

/// Built with such names, booted, edited and verified; then with the usual ones; in the end it is as it was.
pub(super) fn check(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<String> {
    let checked = with_stable_names(kernel, home, linker, number);
    let usual = linked_as_usual(kernel, home, linker, Goal { step: "usual-edited", targets: &["vmlinux_o"] });
    for edited in Edited::of_promoted(kernel) {
        edited.restore()?;
    }
    linked_as_usual(kernel, home, linker, Goal { step: "usual", targets: &["vmlinux"] })?;
    let (checked, usual) = (checked?, usual?);
    require(usual > checked.run, || format!("with the usual names {usual} backends run, which is no more"))?;
    Ok(format!("{checked}; with the usual names {usual} run", checked = checked.said))
}

fn linked_as_usual(kernel: &Kernel, home: &Home, linker: &Linker, goal: Goal<'_>) -> Result<u64> {
    build::forget_link(kernel)?;
    Ok(stats::run_in(&build::make_with(kernel, home, linker, goal, |_| ())?))
}

struct Checked {
    said: String,
    /// Backends that the edits ran.
    run: u64,
}

fn with_stable_names(kernel: &Kernel, home: &Home, linker: &Linker, number: u64) -> Result<Checked> {
    build::forget_link(kernel)?;
    let first = stats::run_in(&make(kernel, home, linker, "build")?);
    boot::check(kernel, home, "boot-stable")?;
    let before = promoted(kernel)?;
    require(before.len() >= LEAST_NAMES, || format!("vmlinux has only {} promoted names", before.len()))?;
    let edited = Edited::of_promoted(kernel);
    edited.iter().zip(number..).try_for_each(|(file, number)| file.append(number))?;
    let run = stats::run_in(&make(kernel, home, linker, "edited")?);
    require(run == edited.len() as u64, || format!("{run} backends ran for edits of {} files", edited.len()))?;
    require(before == promoted(kernel)?, || "an edit has changed promoted names".to_string())?;
    let verified = link_line::verify_with(kernel, home, linker, &[STABLE])?;
    let said = format!(
        "{first} backends; {} promoted names; {run} files edited: {run} backends, the same names; {verified}",
        before.len()
    );
    Ok(Checked { said, run })
}
