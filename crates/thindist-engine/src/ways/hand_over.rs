//! Leaves the link to lld, because there is nothing to distribute or because separate backends cannot carry it.

use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::inputs::words::ForLld;
use crate::session::otherwise;
use crate::session::stats::Stats;
use crate::settings::Settings;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use thindist_core::lld::link_line::{Refusal, response_file};

const LEAVE_OUT: &str = "leave the option out, or allow in-process ThinLTO with THINDIST_FALLBACK=warn";

/// Becomes lld. Comes back only if it cannot be run.
pub(crate) fn exec(environment: &Environment, lld: &Path, words: &ForLld) -> Failure {
    tracing::info!(lld = %lld.display(), "lld takes over");
    let mut command = Command::new(lld);
    command.env_clear().envs(environment.variables().iter().map(|(name, value)| (name, value)));
    match words {
        ForLld::AsGiven(words) => {
            command.args(words);
        }
        ForLld::Expanded(words) => match without_name(environment, words) {
            // The only way to hand over a file that nobody is left to remove.
            Ok(file) => {
                command.arg("@/dev/stdin").stdin(file);
            }
            Err(failure) => return failure,
        },
    }
    io("run", lld, &command.exec())
}

/// A response file without a name.
fn without_name(environment: &Environment, words: &[String]) -> Result<File> {
    let directory = environment.temporary_directory();
    let write = || {
        let mut file = tempfile::tempfile_in(&directory)?;
        file.write_all(response_file::join(words).as_bytes())?;
        file.rewind()?;
        Ok(file)
    };
    write().map_err(|error| io("write a response file in", &directory, &error))
}

/// Does the link in-process with one warning, or refuses to. `stats` say of it what can be said before lld takes over.
pub(crate) fn fall_back(
    settings: &Settings,
    lld: &Path,
    words: &ForLld,
    refusal: &Refusal,
    stats: &Stats,
) -> Result<ExitCode> {
    if let (Some(path), false) = (settings.get("stats"), settings.never_falls_back()?) {
        stats.append_to(Path::new(path))?;
    }
    leave_to_lld(settings, lld, words, refusal, &instead(settings)?)
}

/// Says once that a line's backends cannot be separate, or that this is an error.
pub(crate) fn warn(settings: &Settings, refusal: &Refusal) -> Result<()> {
    warn_of(settings, refusal, &instead(settings)?)
}

fn warn_of(settings: &Settings, refusal: &Refusal, instead: &str) -> Result<()> {
    tracing::info!(%refusal, "the line cannot be carried");
    otherwise::tell(settings, refusal, instead, LEAVE_OUT)
}

fn instead(settings: &Settings) -> Result<String> {
    Ok(match settings.beyond_in_process()? {
        nothing if nothing.is_empty() => "linking in-process".to_owned(),
        something => format!("linking in-process without {something}"),
    })
}

/// Has lld do what it was called for, with one warning that says so, or refuses to.
pub(crate) fn leave_to_lld(
    settings: &Settings,
    lld: &Path,
    words: &ForLld,
    refusal: &Refusal,
    instead: &str,
) -> Result<ExitCode> {
    warn_of(settings, refusal, instead)?;
    Err(exec(settings.environment(), lld, words))
}
