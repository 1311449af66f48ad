//! The right to run one compiler.

use crate::cancel::CancelToken;
use crate::limits::make_jobserver::{MakeJobserver, Token};
use crate::limits::slots::{RETRY_AFTER, Slot, Slots};
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd};

/// A slot of the machine, a token of make's and a place among the jobs of one link. All are given back when dropped, or
/// earlier by [`Self::release`].
pub struct Permit {
    slot: Option<Slot>,
    token: Option<Token>,
    give_back_place: Option<Box<dyn FnOnce() + Send>>,
}

impl Permit {
    /// For whoever runs one action by itself.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        Self { slot: Some(slot), token: None, give_back_place: None }
    }

    /// With what else is to be given back; `place` is called when slot and token are free.
    pub(crate) fn with(slot: Option<Slot>, token: Option<Token>, place: impl FnOnce() + Send + 'static) -> Self {
        Self { slot, token, give_back_place: Some(Box::new(place)) }
    }

    /// The slot, for the compiler to inherit.
    #[must_use]
    pub fn slot(&self) -> Option<BorrowedFd<'_>> {
        self.slot.as_ref().map(Slot::as_fd)
    }

    /// Gives everything back: the compiler has ended with success, and what is left to do takes no processor.
    pub fn release(&mut self) {
        drop(self.token.take());
        drop(self.slot.take());
        if let Some(give_back) = self.give_back_place.take() {
            give_back();
        }
    }
}

/// What bounds the compilers of this machine, for an executor that runs only some of its jobs here.
#[derive(Debug)]
pub struct LocalLane<'a> {
    /// Compilers of this user on this machine.
    pub slots: &'a Slots,
    /// The make that runs us.
    pub jobserver: Option<MakeJobserver>,
}

impl LocalLane<'_> {
    /// A permit, if one is free now.
    #[must_use]
    pub fn try_permit(&self) -> Option<Permit> {
        // The slot first: a token that waits for a slot would keep one of make's own jobs from running.
        let slot = self.slots.try_acquire()?;
        let token = match &self.jobserver {
            Some(server) => Some(server.try_acquire()?),
            None => None,
        };
        Some(Permit { slot: Some(slot), token, give_back_place: None })
    }

    /// Waits for a permit; `None` if cancelled.
    #[must_use]
    pub fn permit(&self, cancel: &CancelToken) -> Option<Permit> {
        while !cancel.is_cancelled() {
            if let Some(permit) = self.try_permit() {
                return Some(permit);
            }
            let _cancelled = cancel.wait(RETRY_AFTER);
        }
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("slot", &self.slot).field("token", &self.token).finish_non_exhaustive()
    }
}
