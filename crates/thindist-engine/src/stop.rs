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

impl Stop {
    /// As an error, where nobody else does the link. `remedy`: what helps against a refusal.
    pub(crate) fn into_failure(self, remedy: Option<&str>) -> Failure {
        match (self, remedy) {
            (Self::Refused(refusal), Some(remedy)) => Failure::new(refusal).hint(remedy),
            (Self::Refused(refusal), None) => Failure::new(refusal),
            (Self::Failed(failure), _) => failure,
        }
    }
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
