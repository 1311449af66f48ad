//! Runs commands: the output of each goes to a log of its own, and a failure shows the end of that log.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::host::files;

/// Enough for a compiler's error and what led to it; the whole is in the log.
const TAIL_LINES: usize = 30;

/// Runs `command` with its output in `log`. Announces it, and says how long it took, because some take minutes.
pub(crate) fn logged(what: &str, command: &mut Command, log: &Path) -> Result<f64> {
    eprint!("  {what} …");
    let _ = std::io::stderr().flush();
    let start = Instant::now();
    let result = quiet(command, log);
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(" {} ({seconds:.1} s)", if result.is_ok() { "done" } else { "FAILED" });
    result.map(|()| seconds).map_err(|error| format!("{what}: {error}"))
}

/// The same without a word when all goes well.
pub(crate) fn quiet(command: &mut Command, log: &Path) -> Result<()> {
    attach_log(command, log)?;
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(failure(command, &status.to_string(), log)) }
}

/// Sends the standard output and error of `command` to `log`, after a line that says what was run.
pub(crate) fn attach_log(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(directory) = log.parent() {
        files::make_dir(directory)?;
    }
    let broken = |error| format!("cannot write {}: {error}", log.display());
    let mut file = File::create(log).map_err(broken)?;
    writeln!(file, "$ {}", line(command)).map_err(broken)?;
    let copy = file.try_clone().map_err(broken)?;
    command.stdin(Stdio::null()).stdout(file).stderr(copy);
    Ok(())
}

/// Runs `command` with the caller's terminal: cargo and apt have progress of their own.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command))) }
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("`{}` failed: {}", line(command), output.status))
    }
}

pub(crate) fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}", command.get_program().display())
}

pub(crate) fn failure(command: &Command, status: &str, log: &Path) -> String {
    format!("`{}` failed: {status}\n{}", line(command), tail(log))
}

/// The last lines of a log, with its path, for an error message. A log may hold bytes that are not text.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = files::read_bytes(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
    format!("--- the end of {} ---\n{}\n---", log.display(), last.join("\n"))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.display().to_string()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_command_and_the_end_of_its_log() {
        let log = std::env::temp_dir().join(format!("xtask-run-{}.log", std::process::id()));
        let error = quiet(Command::new("sh").args(["-c", "seq 100; echo why >&2; exit 3"]), &log).unwrap_err();
        files::remove_file(&log).unwrap();
        assert!(error.contains("exit status: 3") && error.contains("\nwhy\n") && error.contains("\n100\n"), "{error}");
        assert!(!error.contains("\n50\n"), "only the end: {error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("/no/such/tool")).unwrap_err();
        assert!(error.contains("/no/such/tool"), "{error}");
    }
}
