//! Maps the errors of every part to a message, a hint and an exit code.

use crate::report::Report;
use std::fmt::Display;
use std::process::ExitCode;

/// Why the program ends without success.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
    /// What was to be said has been said already, by the tool that failed.
    silent: bool,
}

/// What a step gives, or the failure that ends the run.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with exit code 1 and this message, which names the file concerned.
    pub fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), hint: None, code: 1, silent: false }
    }

    /// What should be there is not, or the other way round: an error of ours, with the module or the job that it is about.
    pub fn internal(message: impl Display) -> Self {
        Self::new(format_args!("internal error: {message}")).hint("please report this")
    }

    /// A tool failed and has said why on stderr.
    pub(crate) fn reported(code: u8) -> Self {
        Self { message: String::new(), hint: None, code, silent: true }
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Ends with another exit code than 1.
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Prints it as a warning: what it keeps from being done is not what was asked for.
    pub fn warn(&self, report: &dyn Report) {
        report.warning(&self.message);
    }

    /// Prints it in a linker's format and gives the exit code.
    pub fn report(&self, report: &dyn Report) -> ExitCode {
        if !self.silent {
            report.error(&self.message);
            // Several hints are several lines.
            self.hint.iter().flat_map(|hint| hint.lines()).for_each(|hint| report.hint(hint));
        }
        ExitCode::from(self.code)
    }
}

/// The message alone, for the reason of something else.
impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// A file operation failed.
pub fn io(action: &str, path: impl AsRef<std::path::Path>, error: &std::io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot {action} {}: {}", path.as_ref().display(), describe(error)));
    match error.kind() {
        std::io::ErrorKind::StorageFull => failure.hint("free some space on that file system and link again"),
        std::io::ErrorKind::PermissionDenied => failure.hint("check the permissions of the file and its directories"),
        std::io::ErrorKind::NotFound => failure.hint("check the path, or build the file first"),
        std::io::ErrorKind::InvalidFilename => failure.hint("give the file a shorter path"),
        _ => failure,
    }
}

/// The system's words without Rust's "(os error 2)", as lld prints them.
pub(crate) fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

impl From<thindist_core::plan::WrongLength> for Failure {
    fn from(error: thindist_core::plan::WrongLength) -> Self {
        Self::new(error).hint("please report this")
    }
}

impl From<thindist_exec::StoreError> for Failure {
    fn from(error: thindist_exec::StoreError) -> Self {
        use thindist_exec::StoreError;
        let StoreError::Io { action, path, source } = &error else { return Self::new(error) };
        let failure = io(action, path, source);
        if source.kind() == std::io::ErrorKind::StorageFull {
            failure
                .hint("free some space there, run `thindist cache gc`, or name another place with THINDIST_CACHE_DIR")
        } else {
            failure
        }
    }
}
