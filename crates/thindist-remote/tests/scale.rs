//! Many actions on many workers: each runs once, never more than allowed run at a time, and every object is the right
//! one.

#[path = "../examples/scale/coordinator.rs"]
mod coordinator;

use std::time::Duration;
use testkit::{FakeEngine, Offer, Simulated, Simulation, object_of};
use thindist_core::digest::Digest;
use thindist_exec::{Job, Outcome};

fn simulate(workers: usize, actions: usize, in_flight: usize, waiting: usize) -> Simulated {
    let (latency, duration) = (Duration::from_millis(1), Duration::from_millis(5));
    let simulation = Some(Simulation { workers, latency, duration });
    let engine = FakeEngine::offering(Offer { simulation, ..Offer::default() });
    let home = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let jobs = coordinator::jobs(actions);
    let outcomes = coordinator::run(&engine.address(), home.path(), &jobs, in_flight, waiting);
    assert_eq!(outcomes.len(), actions);
    jobs.iter().zip(&outcomes).for_each(|(job, outcome)| expect_object(job, outcome));
    let (sent, _) = engine.take_traffic();
    assert_eq!(sent, engine.distinct_bytes(), "a blob was sent twice");
    engine.simulated()
}

fn expect_object(job: &Job, outcome: &Outcome) {
    let expected = Digest::of(&object_of(&job.action.module.hex()));
    assert!(matches!(outcome, Outcome::Success(native) if native.digest == expected), "{}: {outcome:?}", job.name);
}

#[test]
fn every_action_runs_once_on_more_workers_than_a_connection_has_streams() {
    let seen = simulate(150, 600, 400, 200);
    assert_eq!((seen.begun.len(), seen.begun.values().max()), (600, Some(&1)));
    assert!(seen.most_running <= 150, "{}", seen.most_running);
    assert!(seen.most_in_flight <= 400, "{}", seen.most_in_flight);
}

#[test]
fn an_engine_with_few_workers_is_not_flooded() {
    let seen = simulate(2, 100, 50, 5);
    assert_eq!((seen.begun.len(), seen.begun.values().max()), (100, Some(&1)));
    // Those that run have given their places to others that wait.
    assert!(seen.most_in_flight <= 2 + 5, "{}", seen.most_in_flight);
}
