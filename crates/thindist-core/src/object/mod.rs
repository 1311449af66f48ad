//! Archives and kinds of files.

pub mod archive;
pub mod archive_writer;
pub mod file_kind;
