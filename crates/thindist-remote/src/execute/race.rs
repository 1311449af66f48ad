//! An action that is on the engine, and the moment when a free local slot runs it too.
//!
//! Two kinds are worth it: what no worker has begun, of which the last to come is taken, since the engine would come to it last; and
//! what is with a worker for much longer than expected. The first to end wins. The loser is cancelled and waited for: nothing
//! of it is left when the action is said to have ended.

use super::{Ended, There};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use thindist_exec::{CancelToken, Executor, Job, LocalLane, Outcome, Permit, execute};

/// How long an engine may be in beginning, and in ending, before it is helped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// An engine with a free worker has begun by then: several round trips.
    pub(super) begin: Duration,
    /// So many times what was expected …
    pub(super) factor: u32,
    /// … and this is long.
    pub(super) end: Duration,
    /// What is expected of an action where nothing is known.
    pub(super) unknown: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            begin: Duration::from_millis(250),
            factor: 3,
            end: Duration::from_secs(1),
            unknown: Duration::from_secs(10),
        }
    }
}

/// How soon a place is asked for again that others hold.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// All actions that are on the engine.
#[derive(Debug)]
pub(super) struct Board {
    pace: Pace,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    there: BTreeMap<u64, Arc<Action>>,
    last: u64,
    /// Of those that the engine has ended: number and time with a worker.
    ended: u32,
    ended_in: Duration,
    closed: bool,
}

#[derive(Debug)]
struct Action {
    job: Job,
    expected: Option<Duration>,
    since: Instant,
    /// Cancels the engine's half.
    there: CancelToken,
    /// Cancels this machine's.
    here: CancelToken,
    lap: Mutex<Lap>,
    changed: Condvar,
}

#[derive(Debug)]
struct Lap {
    /// When a worker got it.
    begun: Option<Instant>,
    here: Here,
}

/// What this machine does about an action.
#[derive(Debug)]
enum Here {
    Nothing,
    Running,
    Ended(Box<Outcome>),
    /// The engine was first, or nothing runs here any more.
    Over,
}

/// A job that may be raced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Racer<'a> {
    pub(super) job: &'a Job,
    /// What it took the last time.
    pub(super) expected: Option<Duration>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Runs a job there, and perhaps here.
    pub(super) fn run(
        &self,
        racer: Racer<'_>,
        there: &dyn There,
        cancel: &CancelToken,
        begun: &mut dyn FnMut(),
    ) -> Raced {
        let (number, action) = self.enter(racer, cancel);
        let ended = there.run(racer.job, &action.there, &mut || {
            action.begin();
            begun();
        });
        self.leave(number, &action, &ended);
        action.settle(ended)
    }

    fn enter(&self, Racer { job, expected }: Racer<'_>, cancel: &CancelToken) -> (u64, Arc<Action>) {
        let action = Arc::new(Action {
            job: job.clone(),
            expected,
            since: Instant::now(),
            there: cancel.dependent(),
            here: cancel.dependent(),
            lap: Mutex::new(Lap { begun: None, here: Here::Nothing }),
            changed: Condvar::new(),
        });
        let mut state = lock(&self.state);
        state.last += 1;
        let number = state.last;
        state.there.insert(number, Arc::clone(&action));
        if state.there.len() == 1 {
            self.changed.notify_all();
        }
        (number, action)
    }

    fn leave(&self, number: u64, action: &Action, ended: &Ended) {
        let begun = lock(&action.lap).begun;
        let mut state = lock(&self.state);
        state.there.remove(&number);
        if let (Ended::Success(_), Some(begun)) = (ended, begun) {
            state.ended += 1;
            state.ended_in += begun.elapsed();
        }
    }

    /// No action comes any more.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// Helps the engine with places of `lane` until [`Self::close`] is called. For a thread of its own.
    pub(super) fn help(&self, local: &dyn Executor, lane: &LocalLane<'_>) {
        thread::scope(|scope| {
            while let Some(action) = self.wait_for_work() {
                match lane.try_permit() {
                    Some(permit) => start(scope, action, local, permit),
                    None => self.pause(),
                }
            }
        });
    }

    /// The next action that is worth it; `None` when there will be none.
    fn wait_for_work(&self) -> Option<Arc<Action>> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            state = match state.choose(self.pace, Instant::now()) {
                Choice::Now(action) => return Some(action),
                // One that comes meanwhile is not worth it any sooner.
                Choice::At(then) => {
                    let left = then.saturating_duration_since(Instant::now()).min(self.pace.begin);
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Choice::Never => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn pause(&self) {
        let state = lock(&self.state);
        drop(self.changed.wait_timeout_while(state, ASK_AGAIN, |state| !state.closed));
    }
}

enum Choice {
    Now(Arc<Action>),
    At(Instant),
    Never,
}

impl State {
    /// Of several that are worth it now: the last of those that wait, else the one that is the longest overdue.
    fn choose(&self, pace: Pace, now: Instant) -> Choice {
        let mean = self.ended_in.checked_div(self.ended);
        let due: Vec<_> = self.there.values().filter_map(|action| Some((action.due(pace, mean)?, action))).collect();
        let now = due.iter().filter(|(due, _)| due.at <= now);
        let waiting = now.clone().rfind(|(due, _)| !due.begun);
        match waiting.or(now.min_by_key(|(due, _)| due.at)) {
            Some((_, action)) => Choice::Now(Arc::clone(action)),
            None => due.iter().map(|(due, _)| due.at).min().map_or(Choice::Never, Choice::At),
        }
    }
}

/// When an action is worth running here, unless that changes before.
struct Due {
    at: Instant,
    begun: bool,
}

impl Action {
    fn begin(&self) {
        lock(&self.lap).begun.get_or_insert_with(Instant::now);
    }

    /// `None`: it is run here already.
    fn due(&self, pace: Pace, mean: Option<Duration>) -> Option<Due> {
        let lap = lock(&self.lap);
        if !matches!(lap.here, Here::Nothing) {
            return None;
        }
        let expected = self.expected.or(mean).unwrap_or(pace.unknown);
        Some(match lap.begun {
            Some(begun) => Due { at: begun + expected.saturating_mul(pace.factor) + pace.end, begun: true },
            None => Due { at: self.since + pace.begin, begun: false },
        })
    }

    /// Says whether it may be run here: the engine may have been faster.
    fn claim(&self) -> bool {
        let mut lap = lock(&self.lap);
        let free = matches!(lap.here, Here::Nothing);
        if free {
            lap.here = Here::Running;
        }
        free
    }

    fn run_here(&self, local: &dyn Executor, permit: &mut Permit) {
        let outcome = execute(local, &self.job, permit, &self.here);
        // A failure of the compiler is the link's: this machine's word counts. What could not be run may succeed there.
        let decides = matches!(outcome, Outcome::Success(_) | Outcome::CompileFailed { .. });
        lock(&self.lap).here = Here::Ended(Box::new(outcome));
        self.changed.notify_all();
        if decides {
            self.there.cancel();
        }
    }

    /// The engine's half has ended; waits for the other one.
    fn settle(&self, ended: Ended) -> Raced {
        if matches!(ended, Ended::Success(_)) {
            self.here.cancel();
        }
        let lap = lock(&self.lap);
        let waited = self.changed.wait_while(lap, |lap| matches!(lap.here, Here::Running));
        let mut lap = waited.unwrap_or_else(PoisonError::into_inner);
        match (ended, std::mem::replace(&mut lap.here, Here::Over)) {
            (Ended::Success(native), _) => Raced::There(Ended::Success(native)),
            (_, Here::Ended(outcome)) => Raced::Here(*outcome),
            (ended, _) => Raced::There(ended),
        }
    }
}

/// Whose result it is.
#[derive(Debug)]
pub(super) enum Raced {
    There(Ended),
    Here(Outcome),
}

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    action: Arc<Action>,
    local: &'scope dyn Executor,
    mut permit: Permit,
) {
    if !action.claim() {
        return;
    }
    let racer = Arc::clone(&action);
    let work = move || racer.run_here(local, &mut permit);
    if thread::Builder::new().name("race".to_owned()).spawn_scoped(scope, work).is_err() {
        // No thread to be had: the engine alone, then.
        lock(&action.lap).here = Here::Over;
        action.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "race_tests.rs"]
mod tests;
