//! `thindist final-link --list FILE -- <lld arguments>`.

use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;
use thindist_engine::steps;

/// `thindist final-link`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The list that the thin link has left
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    list: PathBuf,
    /// The arguments of lld: the thin link's
    #[arg(last = true, value_name = "LLD ARGUMENTS", value_hint = ValueHint::FilePath)]
    line: Vec<OsString>,
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    steps::final_link(environment, options.line, &options.list)
}
