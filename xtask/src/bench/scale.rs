//! `bench scale`: thindist's client and scheduler, alone in a process, against an engine whose workers only take time.
//!
//! What is asked is how far the coordinator is from the ideal, in which all workers run all the time, and what it costs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::Serialize;

use crate::Result;
use crate::command::arguments;
use crate::figures::measure::{self, Usage, measured};
use crate::figures::table;
use crate::host::project::Home;
use crate::host::{cargo, files, machine, run};

/// Each action takes a second, so a row takes so many seconds at best.
const ROUNDS: u32 = 20;
const ACTION_MS: u32 = 1000;
const LATENCY_MS: u32 = 50;
const WORKERS: [u32; 5] = [1, 10, 100, 500, 1000];

const MOST_RATIO: f64 = 1.15;
const MOST_MIB: f64 = 500.0;

/// One number of workers.
#[derive(Debug, Serialize)]
struct Row {
    workers: u32,
    actions: u32,
    ideal_s: f64,
    wall_s: f64,
    cpu_s: f64,
    peak_mib: f64,
    most_in_flight: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    machine: machine::Machine,
    latency_ms: u32,
    rows: Vec<Row>,
}

pub(crate) fn run(words: &[String]) -> Result<()> {
    let mut words = words.to_vec();
    let workers = arguments::take_number(&mut words, "--workers")?;
    let latency_ms = arguments::take_number(&mut words, "--latency")?.unwrap_or(LATENCY_MS);
    arguments::reject_rest(&words)?;
    let program = cargo::build_example("thindist-remote", "scale")?;
    let home = Home::open("bench")?;
    let all = workers.map_or_else(|| WORKERS.to_vec(), |workers| vec![workers]);
    let rows = all.into_iter().map(|workers| measure(&program, &home, workers, latency_ms));
    let rows = rows.collect::<Result<_>>()?;
    publish(&Report { schema: 1, machine: machine::describe(22), latency_ms, rows })
}

fn measure(program: &Path, home: &Home, workers: u32, latency_ms: u32) -> Result<Row> {
    let stores = home.dir.join("scale");
    files::remove_dir(&stores)?;
    files::make_dir(&stores)?;
    let actions = workers * ROUNDS;
    let engine = Engine::start(program, workers, latency_ms)?;
    eprintln!("  {actions} actions on {workers} workers …");
    let mut coordinator = Command::new(program);
    coordinator.args(["coordinator", &engine.address]).arg(&stores).arg(actions.to_string());
    let Usage { wall_s, cpu_s, peak_rss_kib } = measured(&mut coordinator, &home.log("scale"))?;
    let [begun, most_in_flight, most_running] = engine.stop()?;
    if begun != actions || most_running > workers {
        return Err(format!("{begun} actions were begun, {most_running} at a time: not those of {workers} workers"));
    }
    let ideal_s = f64::from(actions.div_ceil(workers)) * f64::from(ACTION_MS) / 1000.0;
    Ok(Row { workers, actions, ideal_s, wall_s, cpu_s, peak_mib: peak_rss_kib as f64 / 1024.0, most_in_flight })
}

/// The engine's process, which ends with its standard input.
struct Engine {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: String,
}

impl Engine {
    fn start(program: &Path, workers: u32, latency_ms: u32) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("engine").args([workers, latency_ms, ACTION_MS].map(|number| number.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| run::cannot_start(&command, &error))?;
        let output = child.stdout.take().ok_or("the engine has no output")?;
        let mut engine = Self { child, output: BufReader::new(output), address: String::new() };
        engine.output.read_line(&mut engine.address).map_err(|error| format!("the engine says nothing: {error}"))?;
        engine.address.truncate(engine.address.trim_end().len());
        Ok(engine)
    }

    /// Ends it; its last words are what it has seen.
    fn stop(mut self) -> Result<[u32; 3]> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text).map_err(|error| format!("the engine says nothing: {error}"))?;
        let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().map_err(|_| format!("the engine has said `{text}`"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn publish(report: &Report) -> Result<()> {
    let path = measure::keep("scale", report)?;
    let heading =
        ["workers", "actions", "ideal s", "wall s", "ratio", "CPU s", "CPU / wall", "peak MiB", "in flight", "goals"];
    let rows: Vec<Vec<String>> = std::iter::once(table::row(heading)).chain(report.rows.iter().map(cells)).collect();
    print!("\n{}", table::render(&rows));
    println!(
        "\nActions of 1 s, {} ms latency a call. Goals: ratio <= {MOST_RATIO}, CPU / wall <= 1, peak <= {MOST_MIB} MiB. \
         All figures are in {}.",
        report.latency_ms,
        path.display()
    );
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let (ratio, load) = (row.wall_s / row.ideal_s, row.cpu_s / row.wall_s);
    let met = ratio <= MOST_RATIO && load <= 1.0 && row.peak_mib <= MOST_MIB;
    let [ideal, wall, cpu] = [row.ideal_s, row.wall_s, row.cpu_s].map(|seconds| format!("{seconds:.1}"));
    let [ratio, load] = [ratio, load].map(|ratio| format!("{ratio:.2}"));
    let (workers, actions, in_flight) =
        (row.workers.to_string(), row.actions.to_string(), row.most_in_flight.to_string());
    let peak = format!("{:.0}", row.peak_mib);
    let met = if met { "met" } else { "MISSED" };
    table::row([&workers, &actions, &ideal, &wall, &ratio, &cpu, &load, &peak, &in_flight, met])
}
