//! docs/llvm-versions.md: a text, and a table of what was tried.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::trials::{KERNEL, TRIALS};
use crate::Result;
use crate::host::files;
use crate::host::project::{self, Home};

const TEXT: &str = include_str!("../../matrix/llvm-versions.md");
const PAGE: &str = "docs/llvm-versions.md";
const TABLE: &str = "{table}\n";

/// What came of a trial.
pub(super) type Cell = String;

/// What came of a version.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// As its lld says.
    pub(super) version: String,
    /// The suite that it is of.
    pub(super) place: String,
    /// By trial.
    pub(super) cells: BTreeMap<String, Cell>,
}

impl Row {
    pub(super) fn without_package() -> Self {
        Self { version: String::new(), place: "no package".to_owned(), cells: BTreeMap::new() }
    }
}

pub(super) fn keep(home: &Home, llvm: u32, row: &Row) -> Result<()> {
    let text = serde_json::to_string_pretty(row).map_err(|error| error.to_string())?;
    files::write(&path(home, llvm), text)
}

fn path(home: &Home, llvm: u32) -> PathBuf {
    home.dir.join(format!("{llvm}.json"))
}

/// Writes the page if every version has been tried.
pub(super) fn write(home: &Home, versions: RangeInclusive<u32>) -> Result<()> {
    let mut rows = Vec::new();
    for llvm in versions {
        let path = path(home, llvm);
        if !path.exists() {
            println!("{PAGE} is left as it is: LLVM {llvm} has not been tried here");
            return Ok(());
        }
        let row: Row =
            serde_json::from_str(&files::read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        rows.push((llvm, row));
    }
    files::write(&project::root().join(PAGE), TEXT.replace(TABLE, &table(&rows)))?;
    println!("{PAGE} is written");
    Ok(())
}

fn table(rows: &[(u32, Row)]) -> String {
    let heads: Vec<&str> = TRIALS.iter().chain([&KERNEL]).map(|trial| trial.name).collect();
    let mut text = format!("| LLVM | of | {} |\n| --- | --- |{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for (llvm, row) in rows {
        let version = if row.version.is_empty() { llvm.to_string() } else { row.version.clone() };
        let cells: Vec<&str> = heads.iter().map(|head| row.cells.get(*head).map_or("–", String::as_str)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {version} | {} | {} |", row.place, cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_trial() {
        assert!(TEXT.contains(TABLE));
        let cells = BTreeMap::from([("random links".to_owned(), "160 equal".to_owned())]);
        let tried = Row { version: "16.0.6".to_owned(), place: "this release".to_owned(), cells };
        let text = table(&[(16, tried), (20, Row::without_package())]);
        assert!(text.contains("| 16.0.6 | this release | – | – | 160 equal | – | – |\n"), "{text}");
        assert!(text.ends_with("| 20 | no package | – | – | – | – | – |\n"), "{text}");
    }
}
