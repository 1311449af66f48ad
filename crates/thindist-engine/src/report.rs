//! What a link says while it runs. Who hears it decides what becomes of it; without anybody nothing is printed.

use std::io;

/// A stream of lld's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Output,
    /// The standard error.
    Error,
}

/// Hears what a link says.
pub trait Report: Send + Sync {
    /// What was asked for is not done, or not as it was asked for.
    fn warning(&self, text: &str);
    /// Why the run fails.
    fn error(&self, text: &str);
    /// What to do about an error.
    fn hint(&self, text: &str);
    /// Something worth knowing.
    fn note(&self, text: &str);
    /// A line of a tool's, as it stands.
    fn tell(&self, line: &str);
    /// What lld wrote on a stream, as it came. It is part of what the link was called for.
    fn pass_on(&self, stream: Stream, bytes: &[u8]) -> io::Result<()>;
    /// How far the backends are, in one line that takes the place of the last one; `None` takes it away.
    fn progress(&self, line: Option<&str>);
    /// Whether [`Report::progress`] is of use.
    fn shows_progress(&self) -> bool;
}

/// Nobody hears.
pub(crate) struct Unheard;

impl Report for Unheard {
    fn warning(&self, _: &str) {}
    fn error(&self, _: &str) {}
    fn hint(&self, _: &str) {}
    fn note(&self, _: &str) {}
    fn tell(&self, _: &str) {}
    fn pass_on(&self, _: Stream, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn progress(&self, _: Option<&str>) {}
    fn shows_progress(&self) -> bool {
        false
    }
}
