//! What a link says, on the standard error.

use super::{progress, tell};
use thindist_engine::report::Report;

/// The standard error of this process.
#[derive(Debug)]
pub(crate) struct Stderr;

impl Report for Stderr {
    fn warning(&self, text: &str) {
        tell::warn(text);
    }

    fn error(&self, text: &str) {
        tell::error(text);
    }

    fn hint(&self, text: &str) {
        tell::hint(text);
    }

    fn note(&self, text: &str) {
        tell::note(text);
    }

    fn tell(&self, line: &str) {
        tell::tell(line);
    }

    fn progress(&self, line: Option<&str>) {
        progress::draw(line);
    }

    fn shows_progress(&self) -> bool {
        progress::is_redrawn()
    }
}
