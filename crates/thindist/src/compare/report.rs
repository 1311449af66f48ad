//! The figures of `thindist compare`: medians as a table or as JSON.

use clap::ValueEnum;
use serde::Serialize;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::measure::{Measured, Measurement, Way};

/// Raised when a field of the JSON changes its meaning.
const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table
    #[default]
    Text,
    /// One object
    Json,
}

/// Everything that is said.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: u32,
    thindist: &'static str,
    lld: String,
    clang: String,
    /// Bitcode inputs of the line.
    modules: usize,
    rounds: usize,
    ways: Vec<Row>,
    pub(crate) output: Output,
}

/// Medians of one way.
#[derive(Debug, Serialize)]
struct Row {
    way: &'static str,
    wall_s: f64,
    cpu_s: f64,
    /// Of the largest single process: lld in-process, a compiler or lld of thindist's.
    largest_process_kib: f64,
    coordinator_kib: Option<f64>,
    disk_bytes: f64,
    backends: Option<f64>,
    /// Wall time over that of in-process without a cache.
    ratio: f64,
}

/// In-process' output and ours.
#[derive(Debug, Serialize)]
pub(crate) struct Output {
    pub(crate) bytes: [u64; 2],
    /// `None`: they are the same bytes. `Some(0)`: the same but for the order of symbols.
    pub(crate) differences: Option<usize>,
}

impl Report {
    pub(crate) fn new(measurement: &Measurement, output: Output) -> Self {
        let Measurement { rounds, modules, tools: [lld, clang], measured, .. } = measurement;
        let base = median(measured, Way::InProcess, |one| Some(one.usage.elapsed.as_secs_f64())).unwrap_or(f64::NAN);
        let ways = Way::ALL.iter().map(|way| Row::new(*way, measured, base)).collect();
        Self {
            schema: SCHEMA,
            thindist: env!("CARGO_PKG_VERSION"),
            lld: lld.clone(),
            clang: clang.clone(),
            modules: *modules,
            rounds: *rounds,
            ways,
            output,
        }
    }

    pub(crate) fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Text => Ok(self.text()),
            Format::Json => Ok(serde_json::to_string_pretty(self).map_err(Failure::of)? + "\n"),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{:38}{:>9}{:>9}{:>8}", "", "wall s", "CPU s", "ratio");
        text += &format!("{:>14}{:>13}{:>10}{:>10}\n", "largest MiB", "ours MiB", "disk MiB", "backends");
        for row in &self.ways {
            text += &format!("{:38}{:9.2}{:9.2}{:8.3}", row.way, row.wall_s, row.cpu_s, row.ratio);
            text += &format!("{:14.1}{:>13}", mib(row.largest_process_kib), dash(row.coordinator_kib.map(mib), 1));
            text += &format!("{:10.1}{:>10}\n", row.disk_bytes / 1048576.0, dash(row.backends, 0));
        }
        text += &format!("{} bitcode inputs, medians of {} rounds, {}\n", self.modules, self.rounds, self.lld);
        text + &self.output.text()
    }
}

fn mib(kib: f64) -> f64 {
    kib / 1024.0
}

fn dash(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

impl Row {
    fn new(way: Way, measured: &[Measured], base: f64) -> Self {
        let middle = |figure: fn(&Measured) -> Option<f64>| median(measured, way, figure);
        let wall_s = middle(|one| Some(one.usage.elapsed.as_secs_f64())).unwrap_or(f64::NAN);
        Self {
            way: way.name(),
            wall_s,
            cpu_s: middle(|one| Some(one.usage.cpu.as_secs_f64())).unwrap_or(f64::NAN),
            largest_process_kib: middle(|one| Some(one.usage.peak_rss_kib as f64)).unwrap_or(f64::NAN),
            coordinator_kib: middle(|one| one.coordinator_kib.map(|kib| kib as f64)),
            disk_bytes: middle(|one| Some(one.disk_bytes as f64)).unwrap_or(f64::NAN),
            backends: middle(|one| one.backends.map(|count| count as f64)),
            ratio: wall_s / base,
        }
    }
}

/// The middle figure of a way; of an even number the mean of the two in the middle.
fn median(measured: &[Measured], way: Way, figure: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
    let mut figures: Vec<f64> = measured.iter().filter(|one| one.way == way).filter_map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let upper = figures.get(figures.len() / 2)?;
    let lower = figures.get(figures.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

impl Output {
    /// As far as anything but the order of symbols goes.
    pub(crate) fn is_same(&self) -> bool {
        matches!(self.differences, None | Some(0))
    }

    fn text(&self) -> String {
        let [theirs, ours] = self.bytes;
        match self.differences {
            None => format!("outputs identical byte for byte, {ours} bytes\n"),
            Some(0) => format!("outputs identical but for the order of symbols, {theirs} and {ours} bytes\n"),
            Some(count) => {
                format!("outputs differ in {count} places, {theirs} and {ours} bytes: `thindist verify` names them\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::Duration;
    use thindist_exec::process::Usage;

    fn took(way: Way, seconds: u64) -> Measured {
        let time = Duration::from_secs(seconds);
        let usage = Usage { elapsed: time, cpu: time, peak_rss_kib: 2048 };
        Measured { way, usage, disk_bytes: 0, backends: None, coordinator_kib: None }
    }

    #[test]
    fn medians_are_of_one_way_and_ratios_to_in_process() {
        let mut measured: Vec<Measured> = [4, 2, 3].map(|seconds| took(Way::InProcess, seconds)).into();
        measured.extend(Way::ALL.iter().skip(1).map(|way| took(*way, 6)));
        let output = Output { bytes: [7, 7], differences: None };
        let measurement = Measurement {
            rounds: 3,
            modules: 2,
            tools: ["lld".into(), "clang".into()],
            measured,
            in_process: PathBuf::new(),
            distributed: PathBuf::new(),
        };
        let report = Report::new(&measurement, output);
        assert!((report.ways[0].wall_s - 3.0).abs() < 1e-9);
        assert!(report.ways.iter().skip(1).all(|row| (row.ratio - 2.0).abs() < 1e-9));
        let text = report.text();
        assert!(text.contains("identical byte for byte, 7 bytes") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn other_outputs_are_not_the_same() {
        assert!(Output { bytes: [1, 1], differences: Some(0) }.is_same());
        let other = Output { bytes: [1, 2], differences: Some(3) };
        assert!(!other.is_same() && other.text().contains("3 places"));
    }
}
