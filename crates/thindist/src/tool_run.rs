//! Running lld as a step of a link: its words in a response file, its environment ours, its end ours as well.

use crate::failure::{Failure, Result, io};
use crate::link::Session;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use thindist_core::link_line::response_file;
use thindist_exec::CancelToken;
use thindist_exec::process::{Finished, Invocation, Status, run};

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

/// A run of lld that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    status: Status,
}

/// Runs the real lld on `words`, through a response file in the link's directory.
pub(crate) fn lld(session: &Session, response_name: &str, words: &[String]) -> Result<Run> {
    let path = session.text_path(response_name)?;
    std::fs::write(&path, response_file::join(words)).map_err(|error| io("write", &path, &error))?;
    let invocation = Invocation {
        program: session.lld.path.clone(),
        arguments: vec![format!("@{path}").into()],
        environment: std::env::vars_os().collect(),
        directory: None,
    };
    let Finished { status, stdout, stderr, .. } =
        run(&invocation, None, session.interrupt.token()).map_err(Failure::new)?;
    Ok(Run { stdout, stderr, status })
}

impl Run {
    pub(crate) fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// lld has said on stderr what is wrong, unless a signal ended it.
    pub(crate) fn failure(&self, lld: &Path) -> Failure {
        match self.status {
            Status::Exited(_) if says_full(&self.stderr) => {
                Failure::new(format_args!("{}: {}", lld.display(), self.status)).hint(FREE_SPACE)
            }
            Status::Exited(code) => Failure::reported(u8::try_from(code).unwrap_or(1)),
            Status::Signaled(_) => Failure::new(format_args!("{}: {}", lld.display(), self.status)),
        }
    }
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
pub(crate) fn print(diagnostics: &[String]) {
    diagnostics.iter().for_each(|line| eprintln!("{line}"));
}
