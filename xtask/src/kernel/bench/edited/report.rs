//! The table of what each edit has led to, for the terminal and for docs/least-work.md.

use std::fmt::Write as _;

use serde::Serialize;

use crate::Result;
use crate::figures::measure;
use crate::host::machine::Machine;
use crate::host::{files, project};

const TEXT: &str = include_str!("../../../../kernel/least-work.md");
const PAGE: &str = "docs/least-work.md";

/// Backends run for each object that has changed, over all edits.
const GOALS: [(bool, f64); 2] = [(true, 1.15), (false, 1.05)];

/// What one edit has led to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    pub(super) source: &'static str,
    pub(super) edit: &'static str,
    pub(super) way: String,
    pub(super) backends_run: u64,
    pub(super) objects_changed: usize,
    pub(super) importers: u64,
    pub(super) wall_s: f64,
    pub(super) is_lld: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: Machine,
    with_debug_information: bool,
    edits: &'a [Measured],
}

pub(super) fn line(one: &Measured) -> String {
    let Measured { source, edit, way, backends_run, objects_changed, importers, wall_s, is_lld } = one;
    let same = if *is_lld { "lld's output" } else { "ANOTHER OUTPUT than lld's" };
    format!(
        "{source}, {edit}: {backends_run} run, {objects_changed} changed, {importers} import ({way}, {wall_s:.1} s, {same})"
    )
}

pub(super) fn publish(machine: Machine, with_debug_information: bool, edits: &[Measured]) -> Result<()> {
    print!("{}", table(edits));
    let sum = sum(edits);
    let goal =
        GOALS.iter().find(|(with_debug, _)| *with_debug == with_debug_information).map_or(1.0, |(_, goal)| *goal);
    println!("\n{sum} (goal {goal:.2})");
    let wrong: Vec<String> = edits.iter().filter(|one| !one.is_lld).map(line).collect();
    if with_debug_information && wrong.is_empty() {
        let page = TEXT.replace("{{machine}}", &machine.sentence()).replace("{{table}}", table(edits).trim_end());
        files::write(&project::root().join(PAGE), page.replace("{{sum}}", &sum))?;
    }
    let report = Report { schema: 1, machine, with_debug_information, edits };
    let path = measure::keep(if with_debug_information { "edits-debug" } else { "edits" }, &report)?;
    println!("All figures are in {}.", path.display());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn sum(edits: &[Measured]) -> String {
    let (run, changed) = sums(edits);
    format!("{run} backends run, {changed} objects changed: {:.2}.", run as f64 / changed.max(1) as f64)
}

fn sums(edits: &[Measured]) -> (u64, u64) {
    let run = edits.iter().map(|one| one.backends_run).sum();
    (run, edits.iter().map(|one| one.objects_changed as u64).sum())
}

fn table(edits: &[Measured]) -> String {
    let mut text =
        "| source | edit | import from it | backends run | objects changed |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for one in edits {
        let Measured { source, edit, importers, backends_run, objects_changed, .. } = one;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {source} | {edit} | {importers} | {backends_run} | {objects_changed} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_output_is_said_loudly() {
        let one = Measured {
            source: "mm/slab.c",
            edit: "string",
            way: "distributor".to_owned(),
            backends_run: 3,
            objects_changed: 2,
            importers: 9,
            wall_s: 1.0,
            is_lld: false,
        };
        assert!(line(&one).contains("ANOTHER OUTPUT"));
        assert_eq!(sums(&[one.clone(), one.clone()]), (6, 4));
        assert!(table(&[one]).ends_with("| mm/slab.c | string | 9 | 3 | 2 |\n"));
    }
}
