//! `cargo xtask bench programs`: each program's link in each way, alternating, by `thindist compare`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::command::arguments;
use crate::figures::{measure, table};
use crate::host::machine::{self, Machine};
use crate::host::{apt, run};

use super::build::Program;
use super::suite::{LLVM, Suite, Wanted, packages};

const USUAL_ROUNDS: u32 = 3;

/// The JSON file.
#[derive(serde::Serialize)]
struct Report {
    schema: u32,
    machine: Machine,
    /// What `thindist compare` says of each.
    programs: Vec<(&'static str, Value)>,
}

/// The task `bench programs`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let rounds = arguments::take_rounds(&mut arguments, USUAL_ROUNDS)?;
    let (wanted, _) = Wanted::read(arguments)?;
    apt::ensure(&packages(LLVM))?;
    let suite = Suite::open(&wanted, LLVM)?;
    let mut programs = Vec::new();
    for recipe in &suite.recipes {
        eprintln!("  {}: {rounds} rounds …", recipe.name);
        programs.push((recipe.name, compare(&suite, &suite.compile(recipe)?, rounds)?));
    }
    print!("{}", render(&programs)?);
    let report = Report { schema: 1, machine: machine::describe(LLVM), programs };
    let path = measure::keep("programs", &report)?;
    println!("\nMedians of {rounds} alternating rounds; all figures are in {}.", path.display());
    Ok(())
}

/// Exit code 1 says that the outputs differ, which the figures survive.
fn compare(suite: &Suite, program: &Program, rounds: u32) -> Result<Value> {
    let mut command = Command::new(suite.linker.with_file_name("thindist"));
    command.current_dir(&program.dir).args(["compare", "--format", "json", "--rounds", &rounds.to_string(), "--"]);
    command.arg(program.line(&suite.linker, "compared")?).stderr(Stdio::inherit());
    suite.environment(&mut command);
    let output = command.output().map_err(|error| run::cannot_start(&command, &error))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("thindist compare of {}: {} ({error})", program.recipe.name, output.status))
}

/// Wall time of each of thindist's ways beside that of lld's which it stands in for.
const PAIRS: [(&str, &str); 3] = [
    ("thindist, empty stores", "in-process"),
    ("thindist, all native objects stored", "in-process, lld's cache, all hits"),
    ("thindist, nothing changed", "in-process, lld's cache, all hits"),
];

fn render(programs: &[(&'static str, Value)]) -> Result<String> {
    let mut rows = vec![table::row(["program: thindist / the other", "modules", "thindist s", "other s", "ratio"])];
    for (name, report) in programs {
        for (ours, theirs) in PAIRS {
            let (ours_s, theirs_s) = (wall(report, ours)?, wall(report, theirs)?);
            let what = format!("{name}: {} / {theirs}", ours.trim_start_matches("thindist, "));
            let modules = report.get("modules").map(ToString::to_string).unwrap_or_default();
            let figures = [ours_s, theirs_s, ours_s / theirs_s].map(|figure| format!("{figure:.3}"));
            let [ours_s, theirs_s, ratio] = &figures;
            rows.push(table::row([&what, &modules, ours_s, theirs_s, ratio]));
        }
    }
    Ok(table::render(&rows))
}

fn wall(report: &Value, way: &str) -> Result<f64> {
    let ways = report.get("ways").and_then(Value::as_array);
    let row = ways.into_iter().flatten().find(|row| row.get("way").and_then(Value::as_str) == Some(way));
    let wall = row.and_then(|row| row.get("wall_s")?.as_f64());
    wall.ok_or_else(|| format!("thindist compare has no figure for `{way}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_stands_beside_what_it_replaces() {
        let ways = ["in-process", "in-process, lld's cache, all hits"].into_iter().chain(PAIRS.map(|pair| pair.0));
        let ways: Vec<Value> = ways
            .map(|way| serde_json::json!({ "way": way, "wall_s": if way.starts_with('i') { 2.0 } else { 1.0 } }))
            .collect();
        let report = serde_json::json!({ "modules": 7, "ways": ways });
        let text = render(&[("zstd", report)]).unwrap();
        assert_eq!(text.matches("0.500").count(), 3, "{text}");
        assert!(render(&[("zstd", serde_json::json!({}))]).unwrap_err().contains("thindist, empty stores"));
    }
}
