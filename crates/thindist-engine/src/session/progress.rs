//! How far the backends are.

use crate::report::Report;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thindist_exec::{Estimate, Outcome, ProgressSink};
use thindist_remote::Flight;

/// Redrawing more often than this shows nothing more.
const INTERVAL: Duration = Duration::from_millis(100);
/// What a backend takes that was never run before, in milliseconds: the kernel's mean.
const UNKNOWN_MS: u64 = 60;

/// Tells `[done/total] running, hits, time left`; with an engine it tells what runs here and what there.
pub(crate) struct Progress<'a> {
    report: &'a dyn Report,
    is_shown: bool,
    total: usize,
    hits: usize,
    at_a_time: u64,
    costs_ms: Vec<u64>,
    flight: Option<Arc<Flight>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: usize,
    running: usize,
    /// Estimated milliseconds of what has not finished.
    left_ms: u64,
    /// Estimated milliseconds of what has.
    done_ms: u64,
    begun: Instant,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// `total` modules, of which `hits` need no compiling; `estimates` are those of the rest.
    pub(crate) fn new(
        report: &'a dyn Report,
        total: usize,
        hits: usize,
        estimates: &[Option<Estimate>],
        at_a_time: usize,
    ) -> Self {
        let costs_ms: Vec<u64> =
            estimates.iter().map(|known| known.as_ref().map_or(UNKNOWN_MS, |known| known.duration_ms)).collect();
        let state = State {
            done: hits,
            running: 0,
            left_ms: costs_ms.iter().sum(),
            done_ms: 0,
            begun: Instant::now(),
            drawn: None,
        };
        Self {
            is_shown: report.shows_progress(),
            report,
            total,
            hits,
            at_a_time: at_a_time.max(1) as u64,
            costs_ms,
            flight: None,
            state: Mutex::new(state),
        }
    }

    /// Where some of them run elsewhere.
    pub(crate) fn beside(self, flight: Arc<Flight>) -> Self {
        Self { flight: Some(flight), ..self }
    }

    /// Takes the line away.
    pub(crate) fn close(&self) {
        if self.is_shown {
            self.report.progress(None);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if self.is_shown && state.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL) {
            state.drawn = Some(Instant::now());
            self.report.progress(Some(&self.line(&state, state.begun.elapsed())));
        }
    }

    fn line(&self, state: &State, elapsed: Duration) -> String {
        let left = self.seconds_left(state, elapsed);
        format!(
            "[{}/{}] {}, {} hits, {}:{:02} left",
            state.done,
            self.total,
            running(state.running, self.flight.as_ref().map(|flight| flight.counts())),
            self.hits,
            left / 60,
            left % 60
        )
    }

    /// The estimates' share that is left, at the speed so far.
    fn seconds_left(&self, state: &State, elapsed: Duration) -> u64 {
        if state.done_ms == 0 {
            return state.left_ms / self.at_a_time / 1000;
        }
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        elapsed_ms.saturating_mul(state.left_ms) / state.done_ms / 1000
    }

    fn cost(&self, index: usize) -> u64 {
        self.costs_ms.get(index).copied().unwrap_or(0)
    }
}

fn running(all: usize, apart: Option<[usize; 3]>) -> String {
    match apart {
        None => format!("{all} running"),
        Some([here, there, 0]) => format!("{here} running here, {there} remote"),
        Some([here, there, waiting]) => format!("{here} running here, {there} remote, {waiting} waiting"),
    }
}

impl ProgressSink for Progress<'_> {
    fn started(&self, _index: usize) {
        self.change(|state| state.running += 1);
    }

    fn finished(&self, index: usize, _outcome: &Outcome) {
        self.change(|state| {
            state.running = state.running.saturating_sub(1);
            state.done += 1;
            state.left_ms = state.left_ms.saturating_sub(self.cost(index));
            state.done_ms += self.cost(index);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unheard;

    #[test]
    fn what_runs_elsewhere_is_told_apart() {
        assert_eq!(running(5, None), "5 running");
        assert_eq!(running(5, Some([2, 3, 0])), "2 running here, 3 remote");
        assert_eq!(running(7, Some([2, 3, 2])), "2 running here, 3 remote, 2 waiting");
    }

    #[test]
    fn the_line_counts_hits_and_what_is_left() {
        let cost = |duration_ms| Some(Estimate { duration_ms, peak_rss_kib: 0 });
        let progress = Progress::new(&Unheard, 4, 2, &[cost(1000), cost(3000)], 2);
        progress.started(0);
        let state = progress.state.lock().unwrap();
        assert_eq!(progress.line(&state, Duration::ZERO), "[2/4] 1 running, 2 hits, 0:02 left");
        drop(state);
        progress.finished(0, &Outcome::Cancelled);
        let state = progress.state.lock().unwrap();
        assert_eq!(progress.line(&state, Duration::from_secs(30)), "[3/4] 0 running, 2 hits, 1:30 left");
    }
}
