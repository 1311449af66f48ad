pub mod archive;
pub mod archive_writer;
pub mod file_kind;
