//! The objects that a final link gets of LTO.

use std::path::PathBuf;

/// An object that LTO has made.
#[derive(Debug, Clone)]
pub(crate) struct LtoObject {
    pub(crate) path: PathBuf,
    /// Its path in-process.
    pub(crate) shown: String,
    /// The archive that its module is a member of.
    pub(crate) archive: Option<String>,
}
