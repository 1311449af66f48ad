//! docs/corpus.md: which way each line took, and what the lines use.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Result;
use crate::host::files;
use crate::host::project;

use super::build::Built;
use super::record::Recorded;

const TEXT: &str = include_str!("../../corpus/corpus.md");
const PAGE: &str = "docs/corpus.md";

/// The ways, and what is none of thindist's.
const WAYS: [&str; 4] = ["in-process", "distributor", "index-only", "remembered"];

/// What came of a project.
pub(super) struct Row {
    name: &'static str,
    /// ThinLTO links of both builds, by the way that they took.
    ways: BTreeMap<&'static str, usize>,
    /// Why lines were lld's alone.
    alone: Vec<String>,
    /// Of the edit: backends that ran, and all.
    again: (u64, u64),
    options: BTreeMap<String, usize>,
}

impl Row {
    pub(super) fn of(name: &'static str, built: &Built) -> Self {
        let again = built.ran_again();
        let mut row = Self { name, ways: BTreeMap::new(), alone: Vec::new(), again, options: BTreeMap::new() };
        built.first.iter().chain(&built.again).for_each(|link| row.add(link));
        row
    }

    fn add(&mut self, recorded: &Recorded) {
        let Some(link) = recorded.thin() else { return };
        if link.backends.fallback > 0 {
            self.alone.push(link.why.clone());
        } else {
            let way = WAYS.iter().find(|way| link.way.as_deref() == Some(**way)).unwrap_or(&"remembered");
            *self.ways.entry(way).or_default() += 1;
        }
        for option in recorded.options() {
            *self.options.entry(option).or_default() += 1;
        }
    }

    pub(super) fn links(&self) -> usize {
        self.ways.values().sum::<usize>() + self.alone()
    }

    pub(super) fn alone(&self) -> usize {
        self.alone.len()
    }

    fn cells(&self) -> String {
        let ways = WAYS.map(|way| self.ways.get(way).copied().unwrap_or(0).to_string()).join(" | ");
        let (ran, all) = self.again;
        format!("| {} | {} | {ways} | {} | {ran} of {all} |\n", self.name, self.links(), self.alone())
    }
}

pub(super) fn write(rows: &[Row]) -> Result<()> {
    files::write(&project::root().join(PAGE), text(rows))?;
    println!("{PAGE} is written");
    Ok(())
}

fn text(rows: &[Row]) -> String {
    let mut table = format!("| project | ThinLTO links | {} | lld alone | again |\n", WAYS.join(" | "));
    table += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
    rows.iter().for_each(|row| table += &row.cells());
    let mut options: BTreeMap<&str, usize> = BTreeMap::new();
    for (option, links) in rows.iter().flat_map(|row| &row.options) {
        *options.entry(option).or_default() += links;
    }
    let mut listed: Vec<(&str, usize)> = options.into_iter().collect();
    listed.sort_by_key(|(name, links)| (std::cmp::Reverse(*links), *name));
    let mut options = String::from("| option | links |\n| --- | ---: |\n");
    let mut fallbacks = String::new();
    for (option, links) in listed {
        // Writing to a String cannot fail.
        let _ = writeln!(options, "| `{option}` | {links} |");
    }
    for (row, why) in rows.iter().flat_map(|row| row.alone.iter().map(move |why| (row, why))) {
        let _ = writeln!(fallbacks, "- {}: {why}", row.name);
    }
    if fallbacks.is_empty() {
        fallbacks.push_str("None.\n");
    }
    TEXT.replace("{table}", &table).replace("{options}", &options).replace("{fallbacks}\n", &fallbacks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_each_way() {
        let row = Row {
            name: "p",
            ways: BTreeMap::from([("in-process", 2), ("remembered", 1)]),
            alone: vec!["why".to_owned()],
            again: (1, 5),
            options: BTreeMap::from([("-pie".to_owned(), 3)]),
        };
        let text = text(&[row]);
        assert!(text.contains("| p | 4 | 2 | 0 | 0 | 1 | 1 | 1 of 5 |\n"), "{text}");
        assert!(text.contains("| `-pie` | 3 |\n") && text.ends_with("- p: why\n"), "{text}");
    }
}
