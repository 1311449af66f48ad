//! What a link says, on the standard error, and what lld writes, on its own streams.

use super::{progress, tell};
use std::io::{self, Write as _};
use thindist_engine::report::{Report, Stream};

/// The streams of this process.
#[derive(Debug)]
pub(crate) struct Streams;

impl Report for Streams {
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

    fn pass_on(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Output => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Stream::Error => io::stderr().lock().write_all(bytes),
        }
    }

    fn progress(&self, line: Option<&str>) {
        progress::draw(line);
    }

    fn shows_progress(&self) -> bool {
        progress::is_redrawn()
    }
}
