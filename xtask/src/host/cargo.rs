//! Calls cargo, and finds the program that it built.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Result;
use crate::host::project::{self, Home};
use crate::host::{files, run};

/// Names a `thindist` to use as it is: to measure a released one, or one that was built with other flags.
const BINARY: &str = "THINDIST_XTASK_BIN";

pub(crate) fn command(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(project::root());
    command
}

/// thindist built in release, unless another one is named.
pub(crate) fn program() -> Result<PathBuf> {
    match std::env::var_os(BINARY) {
        Some(path) => Ok(PathBuf::from(path)),
        None => build(&["--package", "thindist"], "thindist"),
    }
}

/// Builds thindist in release and puts `bin/thindist` and `bin/ld.thindist` into `home`; returns the latter.
pub(crate) fn install_thindist(home: &Home) -> Result<PathBuf> {
    let program = program()?;
    let bin = home.dir.join("bin");
    files::make_dir(&bin)?;
    files::symlink(&program, &bin.join("thindist"))?;
    let linker = bin.join("ld.thindist");
    files::symlink(Path::new("thindist"), &linker)?;
    Ok(linker)
}

/// Builds an example of a package in release.
pub(crate) fn build_example(package: &str, name: &str) -> Result<PathBuf> {
    build(&["--package", package, "--example", name], name)
}

/// Cargo alone knows its target directory and the program's suffix, so it is asked instead of guessed.
fn build(what: &[&str], name: &str) -> Result<PathBuf> {
    let mut cargo = command(&["build", "--release", "--message-format=json-render-diagnostics"]);
    let messages = run::output(cargo.args(what))?;
    let text = String::from_utf8_lossy(&messages);
    let program =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(|message| executable(&message, name));
    program.ok_or_else(|| format!("cargo built no program named {name}"))
}

fn executable(message: &Value, wanted: &str) -> Option<PathBuf> {
    let name = message.pointer("/target/name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    (name == wanted).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let of = |text: &str| executable(&serde_json::from_str(text).unwrap(), "thindist");
        assert_eq!(of(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(of(r#"{"target":{"name":"thindist"},"executable":null}"#), None);
        assert_eq!(of(r#"{"target":{"name":"thindist"},"executable":"/t/thindist"}"#), Some("/t/thindist".into()));
    }
}
