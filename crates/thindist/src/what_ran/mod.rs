//! `thindist what-ran`: where the native object of each action of a link came from, what it cost, and how to run it
//! again.
//!
//! A link leaves one line of JSON for itself and one for each action: in a file of the cache that the next link replaces, or
//! at the end of a file that a setting names. A link that is remembered whole leaves none, as nothing of it ran.

mod again;
mod show;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::failure::Result;
use thindist_engine::settings::Settings;
use thindist_engine::what_ran::read;
use thindist_exec::WHAT_RAN;

const USAGE: &str = "usage: thindist what-ran [FILE…] [--reproduce KEY|MODULE]";

/// The command.
pub(crate) fn run(mut words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let (mut files, mut wanted) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--reproduce") => wanted = Some(crate::steps::value("--reproduce", &mut words, USAGE)?),
            Some(option) if option.starts_with('-') => return Err(crate::steps::unknown(option, USAGE)),
            _ => files.push(PathBuf::from(word)),
        }
    }
    if files.is_empty() {
        let settings = Settings::load()?;
        files.push(settings.get("what_ran").map_or_else(|| last(&settings), |file| Ok(PathBuf::from(file)))?);
    }
    let rans = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    match wanted {
        None => crate::print(&rans.iter().map(show::table).collect::<String>()),
        Some(wanted) => again::run(&rans, &wanted),
    }
}

/// Where the last link is, unless a setting names a file.
fn last(settings: &Settings) -> Result<PathBuf> {
    Ok(settings.cache_dir()?.join(WHAT_RAN))
}
