//! `thindist backend [-o FILE] JOB…`.

use super::NATIVE_SUFFIX;
use crate::ui::usage;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::steps::{self, NativeObjects};

/// `thindist backend`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the object goes, if there is one job
    #[arg(short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// What takes the place of `.o` in the name of the bitcode, in the name of its object
    #[arg(long, default_value = NATIVE_SUFFIX, allow_hyphen_values = true)]
    suffix: String,
    /// Leave an object that is the same, and its time: for a build system that looks at that, as ninja's restat does
    #[arg(long)]
    if_changed: bool,
    /// Job files of `thindist thin-link`
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    jobs: Vec<PathBuf>,
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    let Options { output, suffix, if_changed, jobs } = options;
    let wrong = match (jobs.len(), &output) {
        (0, _) => Some("no job file"),
        (2.., Some(_)) => Some("-o names one object, and there are several job files"),
        _ => None,
    };
    match wrong {
        Some(what) => Err(Failure::new(what).hint(usage::<Options>("backend"))),
        None => steps::backends(environment, &NativeObjects { output, suffix, if_changed, jobs }),
    }
}
