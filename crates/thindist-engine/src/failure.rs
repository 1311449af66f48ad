//! Maps the errors of every part to a message and a hint, with what they are about and what they come from. Which exit code one has
//! the program decides.

use crate::report::Report;
use std::error::Error;
use std::fmt::Display;

/// Why the program ends without success.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// What it comes from; the message says it already.
    source: Option<Box<dyn Error + Send + Sync>>,
    ending: Ending,
    /// What was to be said has been said already, by the tool that failed.
    silent: bool,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a user has given: a line, files, a place for them.
    User,
    /// A setting.
    Configuration,
    /// An error of ours.
    Internal,
    /// An engine, or a cache that others share.
    Engine,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// What was asked for is not done.
    NotDone,
    /// There is no answer to a question whose answers are exit codes, as those of `diff` are.
    NoAnswer,
    /// As a tool has ended.
    Tool(u8),
}

/// What a step gives, or the failure that ends the run.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with this message, which names the file concerned.
    pub fn new(message: impl Display) -> Self {
        let (kind, ending) = (Kind::User, Ending::NotDone);
        Self { kind, message: message.to_string(), hint: None, source: None, ending, silent: false }
    }

    /// A failure with an error's own words.
    pub fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self::new(&error).caused_by(error)
    }

    /// What should be there is not, or the other way round: an error of ours, with the module or the job that it is about.
    pub fn internal(message: impl Display) -> Self {
        Self::new(format_args!("internal error: {message}")).of_kind(Kind::Internal).hint("please report this")
    }

    /// A tool failed and has said why on stderr.
    pub(crate) fn reported(code: u8) -> Self {
        Self { ending: Ending::Tool(code), silent: true, ..Self::new("") }
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Says what it is about.
    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Keeps what it comes from.
    pub(crate) fn caused_by(self, error: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(error)), ..self }
    }

    /// It keeps a question from being answered.
    pub fn no_answer(self) -> Self {
        Self { ending: Ending::NoAnswer, ..self }
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How the program ends for it.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Prints it as a warning: what it keeps from being done is not what was asked for.
    pub fn warn(&self, report: &dyn Report) {
        report.warning(&self.message);
    }

    /// Prints it in a linker's format.
    pub fn report(&self, report: &dyn Report) {
        tracing::debug!(kind = ?self.kind, ending = ?self.ending, causes = self.causes(), "failed");
        if !self.silent {
            report.error(&self.message);
            // Several hints are several lines.
            self.hint.iter().flat_map(|hint| hint.lines()).for_each(|hint| report.hint(hint));
        }
    }

    fn causes(&self) -> String {
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

/// The message alone, for the reason of something else.
impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// A file operation failed.
pub fn io(action: &str, path: impl AsRef<std::path::Path>, error: &std::io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot {action} {}: {}", path.as_ref().display(), describe(error)));
    let failure = failure.caused_by(same(error));
    match error.kind() {
        std::io::ErrorKind::StorageFull => failure.hint("free some space on that file system and link again"),
        std::io::ErrorKind::PermissionDenied => failure.hint("check the permissions of the file and its directories"),
        std::io::ErrorKind::NotFound => failure.hint("check the path, or build the file first"),
        std::io::ErrorKind::InvalidFilename => failure.hint("give the file a shorter path"),
        _ => failure,
    }
}

/// The same error once more, as they cannot be cloned.
fn same(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
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
        Self::of(error).of_kind(Kind::Internal).hint("please report this")
    }
}

impl From<thindist_exec::StoreError> for Failure {
    fn from(error: thindist_exec::StoreError) -> Self {
        use thindist_exec::StoreError;
        let StoreError::Io { action, path, source } = &error else { return Self::of(error) };
        let mut failure = io(action, path, source);
        if source.kind() == std::io::ErrorKind::StorageFull {
            failure = failure
                .hint("free some space there, run `thindist cache gc`, or name another place with THINDIST_CACHE_DIR");
        }
        failure.caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn the_system_s_error_is_what_it_comes_from() {
        let failure = io("read", "x.o", &std::io::Error::from_raw_os_error(libc::ENOENT));
        let source = failure.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(source.map(std::io::Error::kind), Some(ErrorKind::NotFound));
        assert_eq!(
            (failure.to_string().as_str(), failure.kind()),
            ("cannot read x.o: No such file or directory", Kind::User)
        );
    }

    #[test]
    fn a_failure_that_keeps_an_answer_back_stays_silent() {
        let failure = Failure::reported(5);
        assert_eq!(failure.ending(), Ending::Tool(5));
        let failure = failure.no_answer();
        assert_eq!((failure.ending(), failure.silent), (Ending::NoAnswer, true));
        assert_eq!(Failure::internal("a.o has no outcome").kind(), Kind::Internal);
    }
}
