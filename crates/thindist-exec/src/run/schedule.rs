//! Look-up, then execution: the two halves of obtaining native objects for many jobs.
//!
//! One thread decides, and one a running job waits for it. A job starts when it has a place in the queue's bounds, a
//! slot of the machine and a token of make's: its permit. It gives that back when its compiler has ended, so that the next
//! one runs while the object is checked and synced to disk (on the kernel a tenth of the time was waiting for disks).

use crate::cancel::CancelToken;
use crate::estimate::Estimate;
use crate::limits::make_jobserver::MakeJobserver;
use crate::limits::memory::MemoryBudget;
use crate::limits::permit::Permit;
use crate::limits::slots::{RETRY_AFTER, Slots};
use crate::run::job::{Job, NativeObject, Origin, Outcome};
use crate::run::local::Executor;
use crate::run::queue::{Queue, follow};
use crate::run::results;
use crate::store::action_cache::ActionCache;
use crate::store::cas::Cas;
use crate::store::state::parallel;
use crate::store::store_error::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use thindist_core::plan::action::Action;

/// The native objects that the stores have for `actions`, each blob verified. Whatever is wrong is a miss.
#[must_use]
pub fn look_up(cas: &Cas, cache: &ActionCache, actions: &[&Action], threads: usize) -> Vec<Option<NativeObject>> {
    parallel(actions, threads, |action| results::find(cas, cache, action))
}

/// Jobs, and who runs them.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "an executor need not be one that can be shown")]
pub struct Work<'a> {
    /// The jobs.
    pub jobs: &'a [Job],
    /// What each took the last time, by position; one that is missing is not known.
    pub estimates: &'a [Option<Estimate>],
    /// Runs each.
    pub executor: &'a dyn Executor,
    /// Is told of each success.
    pub cache: &'a ActionCache,
    /// Has what they made.
    pub cas: &'a Cas,
}

/// What bounds the number of jobs that run at once.
#[derive(Debug)]
pub struct Limits<'a> {
    /// Jobs of this link that hold a place.
    pub max_jobs: usize,
    /// Jobs that have been started and have not ended, those that have given their place back among them.
    pub max_unfinished: usize,
    /// Compilers of this user on this machine. `None`: what runs them bounds itself.
    pub slots: Option<&'a Slots>,
    /// The make that runs us.
    pub jobserver: Option<MakeJobserver>,
    /// Memory.
    pub memory: MemoryBudget,
}

impl Limits<'_> {
    /// How many jobs may be unfinished where so many compile: when more objects than that wait to be stored, the disk is
    /// what all wait for.
    #[must_use]
    pub fn storing(max_jobs: usize) -> usize {
        max_jobs.saturating_mul(2) + 2
    }
}

/// Hears of a run's progress, from the thread that called [`run_all`].
pub trait ProgressSink: Sync {
    /// This job has been started. Not called for one that shares the run of another.
    fn started(&self, index: usize);
    /// This job has ended. Called once for every job, those that were never started included.
    fn finished(&self, index: usize, outcome: &Outcome);
}

/// Runs all jobs, longest first, within `limits`. Outcomes are in the order of the jobs.
///
/// The first failure cancels the rest, but not `cancel` itself. Jobs of equal keys are run once; the others get the
/// outcome of that run, or are cancelled with it.
pub fn run_all(work: Work<'_>, limits: Limits<'_>, progress: &dyn ProgressSink, cancel: &CancelToken) -> Vec<Outcome> {
    let Work { jobs, estimates, executor, cache, cas } = work;
    let mut run = Run {
        jobs,
        queue: Queue::new(jobs, estimates, limits.max_jobs, limits.memory),
        limits,
        executor,
        stores: (cas, cache),
        progress,
        cancel: cancel.dependent(),
        outcomes: jobs.iter().map(|_| None).collect(),
        unfinished: 0,
        begun: Instant::now(),
    };
    thread::scope(|scope| run.drive(scope));
    run.settle()
}

struct Run<'a> {
    jobs: &'a [Job],
    queue: Queue,
    limits: Limits<'a>,
    executor: &'a dyn Executor,
    stores: (&'a Cas, &'a ActionCache),
    progress: &'a dyn ProgressSink,
    /// Ends with the caller's, or with the first failure.
    cancel: CancelToken,
    outcomes: Vec<Option<Outcome>>,
    /// Jobs that were started and have not ended: they compile, or their objects are being stored.
    unfinished: usize,
    begun: Instant,
}

/// What the deciding thread hears.
#[derive(Debug)]
enum Event {
    /// The compiler of this job has ended.
    Freed(usize),
    /// A job has ended, and whether its success could be noted.
    Ended { index: usize, outcome: Outcome, noted: Result<(), StoreError> },
}

impl<'a> Run<'a> {
    fn drive<'scope>(&mut self, scope: &'scope Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        let (sender, receiver) = channel();
        while self.unfinished > 0 || !self.queue.is_done() {
            if self.cancel.is_cancelled() {
                self.queue.abandon();
            }
            let short_of_permits = self.start_what_can_be(scope, &sender);
            if let Some(event) = self.wait(&receiver, short_of_permits) {
                self.take(event);
            }
        }
    }

    /// Says whether a job could start but for a slot, a token or a thread, which others hold and give back without telling us.
    fn start_what_can_be<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, sender: &Sender<Event>) -> bool
    where
        'a: 'scope,
    {
        while let Some((index, job)) = self.next() {
            // The slot first: a token that waits for a slot would keep one of make's own jobs from running.
            let Some(mut permit) = self.try_permit(index, sender) else { return true };
            self.queue.start(index);
            self.unfinished += 1;
            let (executor, stores, waited) = (self.executor, self.stores, self.begun.elapsed());
            let (cancel, sender) = (self.cancel.clone(), sender.clone());
            let work = move || {
                let outcome = after(waited, execute(executor, job, &mut permit, &cancel));
                let noted = note(stores, job, &outcome);
                // The receiver lives until the last job has been heard of.
                let _ = sender.send(Event::Ended { index, outcome, noted });
                // After a failure the next one must not start: that it failed is heard before its permit is free.
                drop(permit);
            };
            match thread::Builder::new().name("backend".to_owned()).spawn_scoped(scope, work) {
                Ok(_) => self.progress.started(index),
                // As many threads as this process may have: the next one starts when one of them has ended.
                Err(_) if self.unfinished > 1 => {
                    self.unfinished -= 1;
                    self.queue.put_back(index);
                    return true;
                }
                Err(error) => {
                    self.conclude(index, Outcome::InfraFailed { message: format!("cannot start a thread: {error}") });
                }
            }
        }
        false
    }

    /// The next job, unless too many have not ended.
    #[expect(clippy::indexing_slicing, reason = "the queue's numbers are positions in these jobs")]
    fn next(&self) -> Option<(usize, &'a Job)> {
        let index = self.queue.candidate().filter(|_| self.unfinished < self.limits.max_unfinished)?;
        Some((index, &self.jobs[index]))
    }

    fn try_permit(&self, index: usize, sender: &Sender<Event>) -> Option<Permit> {
        let slot = match self.limits.slots {
            Some(slots) => Some(slots.try_acquire()?),
            None => None,
        };
        let token = match &self.limits.jobserver {
            Some(server) => Some(server.try_acquire()?),
            None => None,
        };
        let sender = sender.clone();
        Some(Permit::with(slot, token, move || drop(sender.send(Event::Freed(index)))))
    }

    /// Waits for a compiler or a job to end, or until it is worth asking for a permit again.
    fn wait(&self, receiver: &Receiver<Event>, short_of_permits: bool) -> Option<Event> {
        match (self.queue.running() + self.unfinished, short_of_permits) {
            (0, true) => {
                let _cancelled = self.cancel.wait(RETRY_AFTER);
                None
            }
            (0, false) => None,
            (_, true) => receiver.recv_timeout(RETRY_AFTER).ok(),
            (_, false) => receiver.recv().ok(),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Freed(index) => self.queue.end(index),
            Event::Ended { index, outcome, noted } => {
                if let Err(error) = &noted {
                    tracing::debug!(index, %error, "the action cache could not take a result");
                }
                self.conclude(index, outcome);
            }
        }
    }

    fn conclude(&mut self, index: usize, outcome: Outcome) {
        self.unfinished -= 1;
        if outcome.ends_the_link() {
            self.cancel.cancel();
        }
        for follower in self.queue.followers(index).to_vec() {
            self.set(follower, follow(&outcome));
        }
        self.set(index, outcome);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is a place for each of the jobs, whose positions the numbers are"
    )]
    fn set(&mut self, index: usize, outcome: Outcome) {
        self.progress.finished(index, &outcome);
        self.outcomes[index] = Some(outcome);
    }

    /// What was not started was cancelled.
    fn settle(self) -> Vec<Outcome> {
        let Self { jobs, outcomes, progress, cancel, .. } = self;
        let not_started = |index: usize, job: &Job| {
            let outcome = if cancel.is_cancelled() {
                Outcome::Cancelled
            } else {
                Outcome::InfraFailed { message: format!("internal error: {} was not started", job.name) }
            };
            progress.finished(index, &outcome);
            outcome
        };
        let ended = jobs.iter().zip(outcomes).enumerate();
        ended.map(|(index, (job, outcome))| outcome.unwrap_or_else(|| not_started(index, job))).collect()
    }
}

/// A job that was run here has waited for its turn in this run's queue; an engine tells of its own.
fn after(waited: Duration, mut outcome: Outcome) -> Outcome {
    if let Outcome::Success(NativeObject { from: Origin::Executed, times, .. }) = &mut outcome {
        times.queue_ms.get_or_insert(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
    }
    outcome
}

/// Runs one job. A panic of an executor is a bug in us; it ends the link with a message that names the module.
pub fn execute(executor: &dyn Executor, job: &Job, permit: &mut Permit, cancel: &CancelToken) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| executor.execute(job, permit, cancel))).unwrap_or_else(|_| {
        let message = format!("internal error: the executor panicked on {} (action {})", job.name, job.action.key());
        Outcome::InfraFailed { message }
    })
}

/// What comes from elsewhere than the action cache is new to it.
fn note((cas, cache): (&Cas, &ActionCache), job: &Job, outcome: &Outcome) -> Result<(), StoreError> {
    match outcome {
        Outcome::Success(made) if made.from != Origin::LocalCache => results::keep(cas, cache, &job.action, made),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
