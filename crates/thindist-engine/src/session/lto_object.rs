//! The objects that a final link gets of LTO.

use std::path::PathBuf;
use thindist_core::paths;

/// An object that LTO has made.
#[derive(Debug, Clone)]
pub(crate) struct LtoObject {
    pub(crate) path: PathBuf,
    /// Its path in-process.
    pub(crate) shown: String,
    /// The archive that its module is a member of.
    pub(crate) archive: Option<String>,
}

/// lld's name for the object of a module: `OUTPUT.lto.STEM.o` beside the bitcode; a member's identifier is taken whole.
pub(crate) fn lto_object_path(output: &str, identifier: &str) -> String {
    let name = file_name(identifier);
    let stem = if identifier.ends_with(')') { name } else { name.rsplit_once('.').map_or(name, |(stem, _)| stem) };
    let directory = identifier.strip_suffix(name).unwrap_or_default();
    // As LLVM's `remove_dots`.
    paths::clean(&format!("{directory}{}.lto.{stem}.o", file_name(output)))
}

pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
