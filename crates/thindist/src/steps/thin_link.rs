//! `thindist thin-link --list FILE -- <lld arguments>`.

use super::NATIVE_SUFFIX;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;
use thindist_engine::steps::{self, ThinLinkFiles};

/// `thindist thin-link`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the objects of the final link are listed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    list: PathBuf,
    /// What takes the place of `.o` in the name of the bitcode, in the name of its object
    #[arg(long, default_value = NATIVE_SUFFIX, allow_hyphen_values = true, value_parser = suffix)]
    suffix: String,
    /// For ninja: where it is written what each backend and the final link read
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    dyndep: Option<PathBuf>,
    /// Where the files are listed that only the thin link tells of: those that assembly names
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    depfile: Option<PathBuf>,
    /// The final link is `thindist final-link`, not the build's own of what is listed
    #[arg(long)]
    final_link: bool,
    /// The arguments of lld
    #[arg(last = true, value_name = "LLD ARGUMENTS", value_hint = ValueHint::FilePath)]
    line: Vec<OsString>,
}

/// One that tells native objects from bitcode.
fn suffix(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() || text.contains('/') || text == ".o" {
        return Err("it would not tell objects apart".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    let Options { list, suffix, dyndep, depfile, final_link, line } = options;
    steps::thin_link(environment, line, &ThinLinkFiles { list, suffix, dyndep, depfile, final_link })
}
