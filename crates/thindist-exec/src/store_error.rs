//! Errors of files in the stores. Every variant names its path.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the local stores or of the files around them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: "read", "write", "create", …
        action: &'static str,
        /// The file it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file holds what it should not.
    #[error("{path} is damaged: {what}", path = path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file or directory is not what it must be to be trusted.
    #[error("refusing to use {path}: {what}", path = path.display())]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// Adds the action and the path to an error of the operating system.
pub(crate) trait IoContext<T> {
    /// `action` is the verb of "cannot … PATH".
    fn on(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> IoContext<T> for Result<T, E> {
    fn on(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io { action, path: path.to_owned(), source: error.into() })
    }
}

/// A file that is not there, told apart from one that cannot be read: in a store, absence is an answer.
pub(crate) fn if_present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_names_what_was_tried_and_on_what() {
        let full = Err::<(), _>(io::Error::from_raw_os_error(libc::ENOSPC));
        let text = full.on("write", Path::new("/x/cas/ab/abcd")).unwrap_err().to_string();
        assert!(text.starts_with("cannot write /x/cas/ab/abcd: No space left on device"), "{text}");
    }
}
