//! This machine and an engine together: a backend runs here if there is a free place, else there; and here if there fails.

use super::{Ended, RemoteExecutor};
use crate::error::RemoteError;
use std::sync::{Mutex, PoisonError};
use thindist_exec::{CancelToken, Executor, Job, LocalLane, Outcome, Permit};

/// An executor over both.
pub struct Hybrid<'a> {
    /// This machine.
    pub local: &'a dyn Executor,
    /// What bounds it.
    pub lane: LocalLane<'a>,
    /// Whether its free places are used while the engine works.
    pub beside: bool,
    /// The engine.
    pub remote: &'a RemoteExecutor<'a>,
    /// Whether what fails there runs here.
    pub fallback: bool,
    /// What has gone wrong there.
    pub troubles: Mutex<Vec<RemoteError>>,
}

impl std::fmt::Debug for Hybrid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hybrid").field("remote", &self.remote).field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Executor for Hybrid<'_> {
    fn execute(&self, job: &Job, _permit: &mut Permit, cancel: &CancelToken) -> Outcome {
        if let Some(mut permit) = self.lane.try_permit().filter(|_| self.beside) {
            return self.local.execute(job, &mut permit, cancel);
        }
        match self.remote.run(job, cancel) {
            Ended::Success(native) => Outcome::Success(native),
            Ended::Cancelled => Outcome::Cancelled,
            Ended::Unavailable(error) if !self.fallback => Outcome::InfraFailed { message: error.to_string() },
            Ended::Failed { status, stderr } if !self.fallback => Outcome::CompileFailed { status, stderr },
            Ended::Unavailable(error) => {
                self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                self.here(job, cancel)
            }
            // A worker may lack something. If the compiler is right to fail, it says so here in its own words.
            Ended::Failed { .. } => self.here(job, cancel),
        }
    }
}

impl Hybrid<'_> {
    /// However many are turned away at once, no more run than this machine has places.
    fn here(&self, job: &Job, cancel: &CancelToken) -> Outcome {
        match self.lane.permit(cancel) {
            Some(mut permit) => self.local.execute(job, &mut permit, cancel),
            None => Outcome::Cancelled,
        }
    }

    /// What is worth a warning: the first trouble of those that have not been told.
    pub fn complaint(&self) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let first = troubles.iter().find(|trouble| !trouble.is_known())?;
        Some(format!("{first} ({} backends ran here instead)", troubles.len()))
    }
}
