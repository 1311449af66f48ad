//! Workers that only take their time, and what is seen of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Workers of an engine that does not run what it is given.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Actions that run at a time; the others wait.
    pub workers: usize,
    /// What passes between each call and its answer.
    pub latency: Duration,
    /// What each action takes.
    pub duration: Duration,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated {
    /// How often each action was begun.
    pub begun: BTreeMap<String, usize>,
    /// The most actions that were here at a time, waiting or running.
    pub most_in_flight: usize,
    /// The most that ran.
    pub most_running: usize,
    in_flight: usize,
    running: usize,
}

#[derive(Debug)]
pub(super) struct Workers {
    plan: Simulation,
    places: Arc<Semaphore>,
    seen: Mutex<Simulated>,
}

impl Workers {
    pub(super) fn new(plan: Simulation) -> Self {
        Self { plan, places: Arc::new(Semaphore::new(plan.workers)), seen: Mutex::default() }
    }

    pub(super) fn latency(&self) -> Duration {
        self.plan.latency
    }

    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.places)
    }

    pub(super) fn duration(&self) -> Duration {
        self.plan.duration
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Simulated> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An action that is here.
pub(super) struct InFlight<'a>(&'a Workers);

impl<'a> InFlight<'a> {
    pub(super) fn enter(workers: &'a Workers) -> Self {
        let mut seen = workers.seen();
        seen.in_flight += 1;
        seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
        Self(workers)
    }

    pub(super) fn run(&self, name: &str, place: OwnedSemaphorePermit) -> Running<'a> {
        let mut seen = self.0.seen();
        *seen.begun.entry(name.to_owned()).or_default() += 1;
        seen.running += 1;
        seen.most_running = seen.most_running.max(seen.running);
        Running(self.0, Some(place))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.seen().in_flight -= 1;
    }
}

/// An action that has a worker.
pub(super) struct Running<'a>(&'a Workers, Option<OwnedSemaphorePermit>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Counted down before the place is free for the next.
        self.0.seen().running -= 1;
        drop(self.1.take());
    }
}
