//! Medians, ratios and goals: a table for the terminal and a JSON file with every figure.

use serde::Serialize;

use crate::Result;
use crate::figures::measure::{self, median};
use crate::figures::table;
use crate::host::machine::Machine;

use super::rounds::Round;

/// What is compared, how it is taken from a round, and the ratio to reach where there is one.
struct Comparison {
    name: &'static str,
    unit: &'static str,
    thindist: fn(&Round) -> f64,
    other: fn(&Round) -> f64,
    goal: Option<f64>,
}

const COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "cold link / in-process, same threads",
        unit: "s",
        thindist: |round| round.cold_thindist.usage.wall_s,
        other: |round| round.cold_in_process.wall_s,
        goal: Some(1.05),
    },
    Comparison {
        name: "cold link, CPU / in-process, CPU",
        unit: "CPU s",
        thindist: |round| round.cold_thindist.usage.cpu_s,
        other: |round| round.cold_in_process.cpu_s,
        goal: Some(1.05),
    },
    Comparison {
        name: "unchanged relink / lld's own cache, all hits",
        unit: "s",
        thindist: |round| round.unchanged_thindist.usage.wall_s,
        other: |round| round.unchanged_lld_cache.wall_s,
        goal: Some(0.5),
    },
    Comparison {
        name: "one-leaf edit / in-process, no cache",
        unit: "s",
        thindist: |round| round.edit_thindist.usage.wall_s,
        other: |round| round.edit_in_process.wall_s,
        goal: Some(0.1),
    },
    Comparison {
        name: "one-leaf edit / lld's own cache",
        unit: "s",
        thindist: |round| round.edit_thindist.usage.wall_s,
        other: |round| round.edit_lld_cache.wall_s,
        goal: Some(1.2),
    },
    Comparison {
        name: "hot edit (66 importers) / lld's own cache",
        unit: "s",
        thindist: |round| round.hot_thindist.usage.wall_s,
        other: |round| round.hot_lld_cache.wall_s,
        goal: Some(0.5),
    },
    Comparison {
        name: "peak memory of the coordinator / in-process",
        unit: "MiB",
        thindist: |round| mib(round.cold_thindist.coordinator_peak_rss_kib),
        other: |round| mib(round.cold_in_process.peak_rss_kib),
        goal: Some(1.0),
    },
    Comparison {
        name: "--version through thindist / lld itself and 10 ms",
        unit: "ms",
        thindist: |round| round.version_thindist_s * 1000.0,
        other: |round| round.version_lld_s * 1000.0 + 10.0,
        goal: Some(1.0),
    },
];

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    unit: &'static str,
    thindist_median: f64,
    other_median: f64,
    ratio: f64,
    goal: Option<f64>,
    met: Option<bool>,
}

/// The JSON file; `schema` counts up when a field changes its meaning.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: u32,
    machine: Machine,
    lines: Vec<Line>,
    rounds: &'a [Round],
}

/// Prints the table and writes `target/bench/kernel.json`.
pub(crate) fn publish(machine: Machine, rounds: &[Round]) -> Result<()> {
    let report = Report { schema: 1, machine, lines: COMPARISONS.iter().map(|c| compare(c, rounds)).collect(), rounds };
    let path = measure::keep("kernel", &report)?;
    print!("\n{}", render(&report.lines));
    println!("\nMedians of {} alternating rounds; all figures are in {}.", rounds.len(), path.display());
    Ok(())
}

fn compare(comparison: &Comparison, rounds: &[Round]) -> Line {
    let thindist_median = median(rounds.iter().map(comparison.thindist).collect());
    let other_median = median(rounds.iter().map(comparison.other).collect());
    let ratio = thindist_median / other_median;
    Line {
        name: comparison.name,
        unit: comparison.unit,
        thindist_median,
        other_median,
        ratio,
        goal: comparison.goal,
        met: comparison.goal.map(|goal| ratio <= goal),
    }
}

fn render(lines: &[Line]) -> String {
    let heading = table::row(["thindist / the other", "unit", "thindist", "other", "ratio", "goal", "met"]);
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(lines.iter().map(cells)).collect();
    table::render(&rows)
}

fn cells(line: &Line) -> Vec<String> {
    let goal = line.goal.map_or_else(|| "-".to_string(), |goal| format!("<= {goal}"));
    let met = match line.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    let figures = [line.thindist_median, line.other_median, line.ratio].map(|figure| format!("{figure:.2}"));
    let [thindist, other, ratio] = &figures;
    table::row([line.name, line.unit, thindist, other, ratio, &goal, met])
}
