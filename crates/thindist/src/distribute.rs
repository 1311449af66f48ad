//! `thindist distribute [options] JOB.json`: the distributor of an lld that links with DTLTO.

use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;

/// `thindist distribute`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Settings (`--thindist-NAME=VALUE`), options of the link in lld's spelling, and lld's job file
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS JOB", value_hint = ValueHint::FilePath)]
    pub(crate) words: Vec<OsString>,
}

pub(crate) fn run(environment: &Environment, Options { words }: Options) -> Result<ExitCode> {
    thindist_engine::distribute(environment, words)
}
