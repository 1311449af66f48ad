//! `thindist what-ran`: where the native object of each action of a link came from, what it cost, and how to run it
//! again.
//!
//! A link leaves one line of JSON for itself and one for each action: in a file of the cache that the next link replaces, or
//! at the end of a file that a setting names. A link that is remembered whole leaves none, as nothing of it ran.

mod again;
mod show;

use crate::ui;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;
use thindist_engine::settings::Settings;
use thindist_engine::what_ran::read;
use thindist_exec::WHAT_RAN;

/// Where the last link is, unless a setting names a file.
fn last(settings: &Settings) -> Result<PathBuf> {
    Ok(settings.cache_dir()?.join(WHAT_RAN))
}

/// `thindist what-ran`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Files that THINDIST_WHAT_RAN has named; without one, the last link's in the cache
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Lay out one backend, and print the command that runs it again
    #[arg(long, value_name = "KEY|MODULE", allow_hyphen_values = true)]
    reproduce: Option<String>,
}

/// The command.
pub(crate) fn run(environment: &Environment, Options { mut files, reproduce }: Options) -> Result<ExitCode> {
    if files.is_empty() {
        let settings = Settings::load(environment)?;
        files.push(settings.get("what_ran").map_or_else(|| last(&settings), |file| Ok(PathBuf::from(file)))?);
    }
    let rans = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    match reproduce {
        None => {
            ui::print(&rans.iter().map(show::table).collect::<String>());
            Ok(ExitCode::SUCCESS)
        }
        Some(wanted) => again::run(environment, &rans, &wanted),
    }
}
