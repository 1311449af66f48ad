//! `thindist emit ninja|make|json -o FILE -- <lld arguments>`.

use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;
use thindist_engine::steps::{self, GraphFormat};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For ninja, with dyndep: one thin link tells it what each backend reads
    Ninja,
    /// A makefile
    Make,
    /// For everybody else: docs/build-systems.md has the format
    Json,
}

/// `thindist emit`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Whose file it is
    format: Format,
    /// The file; others beside it have names that begin with it
    #[arg(short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// The arguments of lld
    #[arg(last = true, value_name = "LLD ARGUMENTS", value_hint = ValueHint::FilePath)]
    line: Vec<OsString>,
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    let format = match options.format {
        Format::Ninja => GraphFormat::Ninja,
        Format::Make => GraphFormat::Make,
        Format::Json => GraphFormat::Json,
    };
    steps::emit(environment, options.line, format, options.output)
}
