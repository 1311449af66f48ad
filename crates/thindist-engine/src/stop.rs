//! How a step of a link ends without its result.

use crate::failure::Failure;
use thindist_core::lld::link_line::Refusal;

/// Why a link does not end here.
#[derive(Debug)]
pub(crate) enum Stop {
    /// In-process ThinLTO has to do it.
    Refused(Refusal),
    /// It failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
