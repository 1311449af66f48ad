//! The kind of a file on this host, by its first bytes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use thindist_core::object::file_kind::{FileKind, file_kind};

/// The kind of a file; `None` if it cannot be read.
pub(crate) fn kind_of(path: &Path) -> Option<FileKind> {
    read_kind(&File::open(path).ok()?).ok()
}

/// The same of an open one.
pub fn read_kind(file: &File) -> std::io::Result<FileKind> {
    let mut first = [0; 20];
    let mut length = 0;
    while let Some(rest) = first.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(file_kind(first.get(..length).unwrap_or_default()))
}
