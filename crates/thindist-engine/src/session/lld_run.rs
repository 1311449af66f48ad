//! Runs lld as a step of a link: arguments in a response file, the environment inherited, cancelled with the link.

use crate::failure::{Failure, Result, io};
use crate::report::{Report, Stream};
use crate::session::workspace::Session;
use std::ffi::OsString;
use std::path::Path;
use thindist_core::lld::link_line::response_file;
use thindist_exec::CancelToken;
use thindist_exec::process::{Finished, Invocation, Status, Usage, run};

/// A run of lld that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: Vec<u8>,
    /// What lld wrote on standard error.
    pub stderr: Vec<u8>,
    /// The time and memory that lld took.
    pub usage: Usage,
    status: Status,
}

/// Runs the real lld on `words`, through a response file in the link's directory.
pub(crate) fn lld(session: &Session, response_name: &str, words: &[String]) -> Result<Run> {
    lld_until(session, response_name, words, session.workspace.interrupt.token())
}

/// The same for a run that has to succeed: if it does not, what lld said is told.
pub(crate) fn expect_lld(session: &Session, response_name: &str, words: &[String]) -> Result<Run> {
    let run = lld(session, response_name, words)?;
    if run.success() {
        return Ok(run);
    }
    print(session.workspace.report(), &lines(&run.stderr));
    Err(run.failure(&session.lld.path))
}

/// The same as [`lld`] until `token` is cancelled.
pub(crate) fn lld_until(session: &Session, response_name: &str, words: &[String], token: &CancelToken) -> Result<Run> {
    let path = session.workspace.text_path(response_name)?;
    std::fs::write(&path, response_file::join(words)).map_err(|error| io("write", &path, &error))?;
    start(session, vec![format!("@{path}").into()], token)
}

/// Runs it on these very arguments, until `token` is cancelled.
pub(crate) fn start(session: &Session, arguments: Vec<OsString>, token: &CancelToken) -> Result<Run> {
    tracing::debug!(program = %session.lld.path.display(), ?arguments, "lld runs");
    let invocation = Invocation {
        program: session.lld.path.clone(),
        arguments,
        environment: session.workspace.settings.environment().variables().to_vec(),
        directory: None,
    };
    let Finished { status, stdout, stderr, usage } = run(&invocation, None, token).map_err(Failure::of)?;
    tracing::debug!(%status, elapsed_ms = usage.elapsed.as_millis(), "lld has ended");
    Ok(Run { stdout, stderr, usage, status })
}

impl Run {
    /// Whether lld exited with status 0.
    pub(crate) fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// Passes lld's own words on, each on the stream that it came on.
    pub(crate) fn pass_on(&self, session: &Session) -> Result<()> {
        write_stdout(session, &self.stdout)?;
        let written = session.workspace.report().pass_on(Stream::Error, &self.stderr);
        written.or_else(unless_gone).map_err(|error| io("write", "the standard error", &error))
    }

    /// It has met a full file system: it says so, whatever its status (two threads that end lld at once, each for its own full
    /// file, may crash instead), or has died of a store into its output, which it maps.
    fn met_full(&self) -> bool {
        says_full(&self.stderr) || self.status == Status::Signaled(libc::SIGBUS)
    }

    /// It has failed over a full file system, and perhaps over that in memory, or was ended because others could not write there.
    pub(crate) fn met_full_memory(&self, session: &Session) -> bool {
        !self.success() && (self.met_full() || session.workspace.is_memory_full())
    }

    /// It has ended by itself, with success or without.
    pub(crate) fn has_exited(&self) -> bool {
        matches!(self.status, Status::Exited(_))
    }

    /// It has not ended by itself.
    pub(crate) fn was_killed(&self) -> bool {
        matches!(self.status, Status::Signaled(_)) && !says_full(&self.stderr)
    }

    /// lld has said on stderr what is wrong, unless a signal ended it.
    pub(crate) fn failure(&self, lld: &Path) -> Failure {
        let ended = || Failure::new(format_args!("{}: {}", lld.display(), self.status));
        match self.status {
            _ if self.met_full() => ended().hint(FREE_SPACE),
            Status::Exited(code) => Failure::reported(u8::try_from(code).unwrap_or(1)),
            Status::Signaled(_) => ended(),
        }
    }
}

/// lld's standard output, as it came. A reader that has gone has seen what it wanted.
pub(crate) fn write_stdout(session: &Session, bytes: &[u8]) -> Result<()> {
    let written = session.workspace.report().pass_on(Stream::Output, bytes);
    written.or_else(unless_gone).map_err(|error| io("write", "the standard output", &error))
}

fn unless_gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// What to do about a full file system.
pub(crate) const FREE_SPACE: &str =
    "free some space for temporary files, or name another place with THINDIST_CACHE_DIR";

/// A tool has met a full file system.
pub(crate) fn says_full(stderr: &[u8]) -> bool {
    String::from_utf8_lossy(stderr).contains("No space left on device")
}

/// Output as lines.
pub(crate) fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

/// Prints a tool's diagnostics as they came.
pub(crate) fn print(report: &dyn Report, diagnostics: &[String]) {
    diagnostics.iter().for_each(|line| report.tell(line));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[track_caller]
    fn check(status: Status, stderr: &str, full: bool) {
        let usage = Usage { elapsed: Duration::ZERO, cpu: Duration::ZERO, peak_rss_kib: 0 };
        let run = Run { stdout: Vec::new(), stderr: stderr.into(), usage, status };
        let failure = format!("{:?}", run.failure(Path::new("ld.lld")));
        assert_eq!(failure.contains(FREE_SPACE), full, "{status}: {failure}");
    }

    #[test]
    fn a_full_disk_is_one_however_lld_ends() {
        let full = "LLVM ERROR: IO failure on output stream: No space left on device\n";
        let signals = [libc::SIGSEGV, libc::SIGABRT, libc::SIGBUS, libc::SIGILL, libc::SIGTRAP].map(Status::Signaled);
        for status in signals.into_iter().chain([1, 70, 134, 139].map(Status::Exited)) {
            check(status, full, true);
            check(status, &format!("error: odd\n{full}{full}"), true);
            check(status, "error: undefined symbol: f\n", status == Status::Signaled(libc::SIGBUS));
        }
    }
}
