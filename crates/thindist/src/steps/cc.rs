//! `thindist cc <compiler> <arguments>`.

use crate::ui::usage;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::steps;

/// `thindist cc`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The compiler and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMPILER ARGUMENTS", value_hint = ValueHint::CommandWithArguments)]
    words: Vec<OsString>,
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    let mut words = options.words.into_iter();
    let compiler = words.next().ok_or_else(|| Failure::new("no compiler").hint(usage::<Options>("cc")))?;
    steps::cc(environment, compiler, words.collect())
}
