//! Counts of actions by their state, for progress displays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts of what runs here, what the engine has, and what of that no worker has begun.
#[derive(Debug, Default)]
pub struct Flight {
    here: AtomicUsize,
    running: AtomicUsize,
    waiting: AtomicUsize,
}

impl Flight {
    /// Backends that run here, on workers, and not yet.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        [&self.here, &self.running, &self.waiting].map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn here(self: &Arc<Self>) -> Counted {
        Counted::of(self, |flight| &flight.here)
    }

    pub(super) fn waiting(self: &Arc<Self>) -> Counted {
        Counted::of(self, |flight| &flight.waiting)
    }

    pub(super) fn running(self: &Arc<Self>) -> Counted {
        Counted::of(self, |flight| &flight.running)
    }
}

/// One of a count, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    flight: Arc<Flight>,
    which: fn(&Flight) -> &AtomicUsize,
}

impl Counted {
    fn of(flight: &Arc<Flight>, which: fn(&Flight) -> &AtomicUsize) -> Self {
        which(flight).fetch_add(1, Ordering::Relaxed);
        Self { flight: Arc::clone(flight), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.flight).fetch_sub(1, Ordering::Relaxed);
    }
}
