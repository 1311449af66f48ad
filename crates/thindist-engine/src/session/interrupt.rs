//! What cancels a link: signals, and the end of the process that waits for it.

use crate::failure::{Failure, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::iterator::{Handle, Signals};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use thindist_exec::CancelToken;

/// Watches for SIGINT, SIGTERM and SIGHUP until it is dropped: the first of them cancels the link.
#[derive(Debug)]
pub(crate) struct Interrupt {
    token: CancelToken,
    signal: Arc<AtomicI32>,
    signals: Handle,
    watcher: Option<JoinHandle<()>>,
}

/// A process that is not ours, from now to its end.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// `None` on a kernel before 5.3: its end is not seen, and signals to us remain.
    watched: Option<Arc<OwnedFd>>,
}

impl Process {
    pub(crate) fn of(number: Pid) -> Self {
        Self { watched: pidfd_open(number, PidfdFlags::empty()).ok().map(Arc::new) }
    }

    /// Whether it ends before that time; without one it is waited for.
    pub(crate) fn ends_within(&self, time: Option<Duration>) -> bool {
        let Some(watched) = &self.watched else { return false };
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        loop {
            match poll(&mut [PollFd::new(&**watched, PollFlags::IN)], time.as_ref()) {
                Ok(ended) => return ended > 0,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

impl Interrupt {
    pub(crate) fn watch() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut pending = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::new(format_args!("cannot watch for signals: {error}")))?;
        let (signals, token, signal) = (pending.handle(), CancelToken::new(), Arc::new(AtomicI32::new(0)));
        let (cancelled, seen) = (token.clone(), signal.clone());
        let watcher = std::thread::spawn(move || {
            for signal in pending.forever() {
                seen.store(signal, Ordering::SeqCst);
                cancelled.cancel();
            }
        });
        Ok(Self { token, signal, signals, watcher: Some(watcher) })
    }

    /// Cancels when `process` ends.
    pub(crate) fn when_it_ends(&self, process: &Process) {
        let (process, token) = (process.clone(), self.token.clone());
        std::thread::spawn(move || {
            if process.ends_within(None) {
                token.cancel();
            }
        });
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Ends this process by the signal that ended the link, if one did.
    pub(crate) fn pass_on(&self) {
        let signal = self.signal.load(Ordering::SeqCst);
        if signal != 0 {
            // Comes back only for a signal that ends nobody; the link has failed all the same.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }
}

/// A process may do many links: none leaves its watcher of signals behind it. What waits for another process ends with that.
impl Drop for Interrupt {
    fn drop(&mut self) {
        self.signals.close();
        // It does nothing that could panic.
        let _ = self.watcher.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_end_is_that_of_the_watcher() {
        let interrupt = Interrupt::watch().unwrap();
        let seen = interrupt.signal.clone();
        assert_eq!(Arc::strong_count(&seen), 3);
        drop(interrupt);
        assert_eq!(Arc::strong_count(&seen), 1);
    }
}
