//! Cancels everything that runs, from any thread.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// How long a child may clean up after SIGTERM before SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Cancels what was given a clone of it: wakes waiters and ends running children.
#[derive(Debug, Clone)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    grace: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    /// Leaders of the process groups of running children. None of them is reaped while it is listed here, so that no
    /// signal can meet a stranger with a reused number.
    children: Vec<Pid>,
    /// Tokens that are cancelled with this one.
    dependents: Vec<Weak<Shared>>,
    /// Who waits without a thread, by number.
    wakers: BTreeMap<u64, Waker>,
    last_waker: u64,
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::with_grace(GRACE)
    }
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_grace(grace: Duration) -> Self {
        Self(Arc::new(Shared { grace, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// A token that is cancelled with this one, and can be without it.
    #[must_use]
    pub fn dependent(&self) -> Self {
        let dependent = Self::with_grace(self.0.grace);
        let mut state = self.lock();
        if state.cancelled {
            drop(state);
            dependent.cancel();
        } else {
            state.dependents.retain(|other| other.strong_count() > 0);
            state.dependents.push(Arc::downgrade(&dependent.0));
        }
        dependent
    }

    /// Cancels: once, for good. Children get SIGTERM, and SIGKILL if they live on after 2 s.
    ///
    /// Not to be called from a signal handler; a thread that waits for signals is the place.
    pub fn cancel(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.cancelled, true) {
            return;
        }
        signal_all(&state.children, Signal::TERM);
        let dependents = std::mem::take(&mut state.dependents);
        let wakers = std::mem::take(&mut state.wakers);
        let any_child = !state.children.is_empty();
        drop(state);
        wakers.into_values().for_each(Waker::wake);
        self.0.changed.notify_all();
        for dependent in dependents.iter().filter_map(Weak::upgrade) {
            Self(dependent).cancel();
        }
        if any_child {
            self.kill_survivors_later();
        }
    }

    /// Whether it is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Waits for at most `timeout`; says whether it is cancelled.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.lock(), timeout, |state| !state.cancelled);
        waited.unwrap_or_else(PoisonError::into_inner).0.cancelled
    }

    /// Is done when it is cancelled: of hundreds of waiters none has to look by itself.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled<'_> {
        let mut state = self.lock();
        state.last_waker += 1;
        Cancelled { token: self, number: state.last_waker }
    }

    /// Registers the leader of a child's process group. The child must not be reaped before the answer is dropped.
    pub(crate) fn watch(&self, child: Pid) -> Watched<'_> {
        let mut state = self.lock();
        state.children.push(child);
        if state.cancelled {
            // It has just begun; there is nothing to clean up.
            signal_all(&[child], Signal::KILL);
        }
        #[cfg(test)]
        self.0.changed.notify_all();
        Watched { token: self, child }
    }

    /// Waits until so many children are registered: they may have got to work before.
    #[cfg(test)]
    pub(crate) fn await_children(&self, count: usize) {
        drop(self.0.changed.wait_while(self.lock(), |state| state.children.len() < count));
    }

    fn kill_survivors_later(&self) {
        let token = self.clone();
        let waiter = thread::Builder::new().name("cancel".to_owned()).spawn(move || token.kill_survivors());
        if waiter.is_err() {
            // No thread to wait in: without the grace, then.
            signal_all(&self.lock().children, Signal::KILL);
        }
    }

    fn kill_survivors(&self) {
        let waited = self.0.changed.wait_timeout_while(self.lock(), self.0.grace, |state| !state.children.is_empty());
        signal_all(&waited.unwrap_or_else(PoisonError::into_inner).0.children, Signal::KILL);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`CancelToken::cancelled`].
#[derive(Debug)]
pub struct Cancelled<'a> {
    token: &'a CancelToken,
    number: u64,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.token.lock();
        if state.cancelled {
            return Poll::Ready(());
        }
        state.wakers.insert(self.number, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        self.token.lock().wakers.remove(&self.number);
    }
}

/// A child that is ended when its token is cancelled.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    token: &'a CancelToken,
    child: Pid,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.token.lock().children.retain(|child| *child != self.child);
        self.token.0.changed.notify_all();
    }
}

fn signal_all(children: &[Pid], signal: Signal) {
    for child in children {
        // That it has ended already is as good.
        let _ = kill_process_group(*child, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[test]
    fn cancelling_wakes_waiters_and_dependents() {
        let token = CancelToken::new();
        let dependent = token.dependent();
        let waiter = thread::spawn({
            let dependent = dependent.clone();
            move || dependent.wait(Duration::from_secs(600))
        });
        assert!(!token.is_cancelled());
        token.cancel();
        assert!(waiter.join().unwrap());
        assert!(token.is_cancelled() && dependent.is_cancelled());
        assert!(token.dependent().is_cancelled());
    }

    #[test]
    fn cancelling_wakes_who_waits_without_a_thread() {
        let token = CancelToken::new();
        let mut waiting = pin!(token.cancelled());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(token.lock().wakers.len(), 1);
        token.cancel();
        assert!(waiting.as_mut().poll(&mut context).is_ready());
        let other = CancelToken::new();
        {
            let mut given_up = pin!(other.cancelled());
            assert!(given_up.as_mut().poll(&mut context).is_pending());
        }
        assert!(other.lock().wakers.is_empty());
    }

    #[test]
    fn a_dependent_does_not_cancel_its_origin() {
        let token = CancelToken::new();
        token.dependent().cancel();
        assert!(!token.is_cancelled());
    }
}
