//! What ends a link before its time: signals, and the end of the process that waits for it.

use crate::failure::{Failure, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use thindist_exec::CancelToken;

/// Watches for SIGINT, SIGTERM and SIGHUP: the first of them cancels the link.
#[derive(Debug)]
pub(crate) struct Interrupt {
    token: CancelToken,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    pub(crate) fn watch() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let interrupt = Self { token: CancelToken::new(), signal: Arc::new(AtomicI32::new(0)) };
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::new(format_args!("cannot watch for signals: {error}")))?;
        let (token, seen) = (interrupt.token.clone(), interrupt.signal.clone());
        std::thread::spawn(move || {
            for signal in signals.forever() {
                seen.store(signal, Ordering::SeqCst);
                token.cancel();
            }
        });
        Ok(interrupt)
    }

    /// Cancels when `process` ends.
    pub(crate) fn when_it_ends(&self, process: Pid) {
        let watched = match pidfd_open(process, PidfdFlags::empty()) {
            Ok(watched) => watched,
            Err(Errno::SRCH) => return self.token.cancel(),
            // A kernel before 5.3: signals to us remain.
            Err(_) => return,
        };
        let token = self.token.clone();
        std::thread::spawn(move || {
            let ended = |watched| poll(&mut [PollFd::new(watched, PollFlags::IN)], None);
            while ended(&watched) == Err(Errno::INTR) {}
            token.cancel();
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
