//! The two processes of `cargo xtask bench scale`: an engine of simulated workers, and thindist's client and scheduler
//! alone, so that the processor time and memory of the latter can be measured from outside.
//!
//!     scale engine WORKERS LATENCY_MS DURATION_MS    says where it is, ends with its standard input
//!     scale coordinator ADDRESS HOME ACTIONS          within the bounds of a link

mod coordinator;

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use testkit::{FakeEngine, Offer, Simulation};
use thindist_exec::Outcome;
use thindist_remote::{IN_FLIGHT, WAITING};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["engine", workers, latency, duration] => engine(number(workers), millis(latency), millis(duration)),
        ["coordinator", address, home, actions] => coordinate(address, Path::new(home), number(actions)),
        _ => panic!("see the head of this example for its words"),
    }
}

fn engine(workers: usize, latency: Duration, duration: Duration) {
    let simulation = Some(Simulation { workers, latency, duration });
    let engine = FakeEngine::offering(Offer { simulation, ..Offer::default() });
    println!("{}", engine.address());
    // Whoever started us ends us by closing this.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let seen = engine.simulated();
    let begun: usize = seen.begun.values().sum();
    println!("{begun} {} {}", seen.most_in_flight, seen.most_running);
}

fn coordinate(address: &str, home: &Path, actions: usize) {
    let outcomes = coordinator::run(address, home, &coordinator::jobs(actions), IN_FLIGHT, WAITING);
    if let Some(other) = outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Success(_))) {
        panic!("an action ended with {other:?}");
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(number(text) as u64)
}
