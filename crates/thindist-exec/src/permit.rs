//! The right to run one compiler.

use crate::make_jobserver::Token;
use crate::slots::Slot;
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
    pub(crate) fn with(slot: Slot, token: Option<Token>, place: impl FnOnce() + Send + 'static) -> Self {
        Self { slot: Some(slot), token, give_back_place: Some(Box::new(place)) }
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
