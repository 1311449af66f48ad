//! Leaving the link to lld: because there is nothing to distribute, or because separate backends cannot do it.

use crate::failure::{Failure, Result, io};
use crate::settings::Settings;
use crate::stats::Stats;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use thindist_core::link_line::Refusal;

/// Becomes lld. Comes back only if it cannot be run.
pub(crate) fn exec(lld: &Path, words: &[OsString]) -> Failure {
    let error = Command::new(lld).args(words).exec();
    io("run", lld, &error)
}

/// Does the link in-process with one warning, or refuses to. `stats` say of it what can be said before lld takes over.
pub(crate) fn fall_back(
    settings: &Settings,
    lld: &Path,
    words: &[OsString],
    refusal: &Refusal,
    stats: &Stats,
) -> Result<ExitCode> {
    if settings.never_falls_back()? {
        return Err(
            Failure::new(refusal).hint("leave the option out, or allow in-process ThinLTO with THINDIST_FALLBACK=warn")
        );
    }
    if let Some(path) = settings.get("stats") {
        stats.append_to(Path::new(path))?;
    }
    eprintln!("thindist: warning: {refusal}; linking in-process");
    Err(exec(lld, words))
}
