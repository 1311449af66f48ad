//! Links that may come out otherwise than in-process.

use crate::failure::Result;
use crate::session::workspace::Session;

/// What becomes of a link that may come out otherwise than in-process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubts {
    /// lld has to do it.
    Refused,
    /// It is done: whoever wants it compares it, or has asked for these very steps.
    Shown,
}

impl Doubts {
    /// Of a link for its user.
    pub(crate) fn of(session: &Session) -> Result<Self> {
        let is_in_process =
            session.workspace.settings.beyond_in_process()?.is_empty() && !session.workspace.settings.is_on("unlisted");
        Ok(if is_in_process { Self::Refused } else { Self::Shown })
    }
}
