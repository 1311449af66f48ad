//! A linker's line behind a command of ours.

use clap::{Args, ValueHint};
use std::ffi::OsString;

/// A linker's line.
#[derive(Debug, Args)]
pub(crate) struct Line {
    /// The arguments of lld, best behind `--`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "LLD ARGUMENTS",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) words: Vec<OsString>,
}
