//! Local and remote execution together: a backend runs locally if a slot is free, else on the engine; and locally if it
//! fails there, or if slots are free while the engine is slow.

use super::flight::Flight;
use super::race::{Board, Pace, Raced, Racer};
use super::{Ended, There};
use crate::error::RemoteError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thindist_exec::{CancelToken, Executor, Job, LocalLane, Outcome, Permit};

/// What is to be done with which machine.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether free places here are used while the engine works.
    pub beside: bool,
    /// Whether they also run what the engine has and is slow with.
    pub racing: bool,
    /// Whether what fails there runs here.
    pub fallback: bool,
}

/// An executor over both.
pub struct Hybrid<'a> {
    local: &'a dyn Executor,
    lane: LocalLane<'a>,
    remote: &'a dyn There,
    policy: Policy,
    /// By module.
    expected: BTreeMap<String, Duration>,
    board: Option<Board>,
    flight: Arc<Flight>,
    /// What has gone wrong there.
    troubles: Mutex<Vec<RemoteError>>,
}

impl std::fmt::Debug for Hybrid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hybrid").field("policy", &self.policy).field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Executor for Hybrid<'_> {
    fn execute(&self, job: &Job, place: &mut Permit, cancel: &CancelToken) -> Outcome {
        if let Some(mut permit) = self.policy.beside.then(|| self.lane.try_permit()).flatten() {
            return self.run_local(job, &mut permit, cancel);
        }
        match self.run_remote(job, place, cancel) {
            Raced::Here(outcome) => outcome,
            Raced::There(ended) => self.conclude(job, ended, cancel),
        }
    }
}

impl<'a> Hybrid<'a> {
    /// An executor over `local`, within `lane`, and `remote`.
    pub fn new(local: &'a dyn Executor, lane: LocalLane<'a>, remote: &'a dyn There, policy: Policy) -> Self {
        Self {
            local,
            lane,
            remote,
            policy,
            expected: BTreeMap::new(),
            board: (policy.beside && policy.racing).then(|| Board::new(Pace::default())),
            flight: Arc::default(),
            troubles: Mutex::default(),
        }
    }

    /// Tells what modules are expected to take.
    #[must_use]
    pub fn expecting(mut self, expected: BTreeMap<String, Duration>) -> Self {
        self.expected = expected;
        self
    }

    /// How many are where.
    #[must_use]
    pub fn flight(&self) -> Arc<Flight> {
        Arc::clone(&self.flight)
    }

    /// Does `work`, which gives this executor its jobs, and meanwhile helps the engine.
    pub fn while_helping<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(board) = &self.board else { return work() };
        std::thread::scope(|scope| {
            let help = || board.help(self.local, &self.lane);
            // Without a thread nobody helps; the engine does it all.
            let _helper = std::thread::Builder::new().name("helper".to_owned()).spawn_scoped(scope, help);
            let _closed = Closes(board);
            work()
        })
    }

    fn run_local(&self, job: &Job, permit: &mut Permit, cancel: &CancelToken) -> Outcome {
        let _counted = self.flight.here();
        self.local.execute(job, permit, cancel)
    }

    fn run_remote(&self, job: &Job, place: &mut Permit, cancel: &CancelToken) -> Raced {
        let mut waiting = Some(self.flight.waiting());
        let mut running = None;
        // What a worker has does not wait any more: the engine can take another.
        let mut begun = || {
            if waiting.take().is_some() {
                running = Some(self.flight.running());
                place.release();
            }
        };
        match &self.board {
            Some(board) => {
                let racer = Racer { job, expected: self.expected.get(&job.name).copied() };
                board.run(racer, self.remote, cancel, &mut begun)
            }
            None => Raced::There(self.remote.run(job, cancel, &mut begun)),
        }
    }

    fn conclude(&self, job: &Job, ended: Ended, cancel: &CancelToken) -> Outcome {
        match ended {
            Ended::Success(native) => Outcome::Success(native),
            Ended::Cancelled => Outcome::Cancelled,
            Ended::Unavailable(error) if !self.policy.fallback => Outcome::InfraFailed { message: error.to_string() },
            Ended::Failed { status, stderr } if !self.policy.fallback => Outcome::CompileFailed { status, stderr },
            Ended::Unavailable(error) => {
                self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                self.here(job, cancel)
            }
            // A worker may lack something. If the compiler is right to fail, it says so here in its own words.
            Ended::Failed { .. } => self.here(job, cancel),
        }
    }

    /// However many are turned away at once, no more run than this machine has places.
    fn here(&self, job: &Job, cancel: &CancelToken) -> Outcome {
        match self.lane.permit(cancel) {
            Some(mut permit) => self.run_local(job, &mut permit, cancel),
            None => Outcome::Cancelled,
        }
    }

    /// What is worth a warning: the first trouble of those that have not been told, `before` it began if there was one.
    pub fn complaint(&self, before: Option<RemoteError>) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let first = before.iter().chain(troubles.iter()).find(|trouble| !trouble.is_known());
        let first = first.filter(|_| !troubles.is_empty())?;
        Some(format!("{first} ({} backends ran here instead)", troubles.len()))
    }
}

/// Ends the help also when the work panics.
struct Closes<'a>(&'a Board);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
