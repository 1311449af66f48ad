//! The kernel's configuration: tinyconfig plus `kernel/subset.config`, checked after Kconfig has resolved it.

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

use super::build::{self, Linker};
use super::checkout::Kernel;

const SUBSET: &str = include_str!("../../kernel/subset.config");

/// tinyconfig has no SHMEM, without which Kconfig drops the subset's TMPFS.
const PREREQUISITES: &str = "CONFIG_SHMEM=y\n";

/// Configures `kernel`, with `suffix` at the end of its version, unless it already is so.
pub(crate) fn apply(kernel: &Kernel, home: &Home, suffix: &str) -> Result<()> {
    set(kernel, home, &Linker::InProcess, &subset(suffix))
}

/// What the subset asks for, with `suffix` at the end of the kernel's version.
fn subset(suffix: &str) -> String {
    format!("{SUBSET}{PREREQUISITES}CONFIG_LOCALVERSION=\"{suffix}\"\n")
}

/// Configures `kernel` as the subset, with `more`.
pub(crate) fn apply_with(kernel: &Kernel, home: &Home, more: &str) -> Result<()> {
    set(kernel, home, &Linker::InProcess, &merge(&subset(""), more))
}

/// Configures `kernel` with one setting of the subset replaced, and with `more`.
pub(crate) fn apply_instead(
    kernel: &Kernel,
    home: &Home,
    linker: &Linker,
    (setting, instead): (&str, &str),
    more: &str,
) -> Result<()> {
    let usual = subset("").replace(setting, instead);
    set(kernel, home, linker, &merge(&usual, more))
}

/// Configures `kernel` as tinyconfig and `wanted`, unless it already is so.
fn set(kernel: &Kernel, home: &Home, linker: &Linker, wanted: &str) -> Result<()> {
    set_with(kernel, wanted, |target| make(kernel, home, linker, target))
}

/// The same by a make of the caller's.
pub(crate) fn set_with(kernel: &Kernel, wanted: &str, make: impl Fn(&str) -> Result<()>) -> Result<()> {
    files::make_dir(&kernel.out)?;
    if current(kernel).is_ok_and(|config| missing(&config, wanted).is_empty()) {
        return Ok(());
    }
    if current(kernel).is_err() {
        make("tinyconfig")?;
    }
    files::write(&path(kernel), merge(&current(kernel)?, wanted))?;
    make("olddefconfig")?;
    let missing = missing(&current(kernel)?, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("Kconfig dropped what the checks rely on: {}", missing.join(", ")))
}

fn make(kernel: &Kernel, home: &Home, linker: &Linker, target: &str) -> Result<()> {
    let mut command = build::command(kernel, home, linker);
    run::quiet(command.arg(target), &home.log(&kernel.log_name(target)))
}

fn path(kernel: &Kernel) -> std::path::PathBuf {
    kernel.out.join(".config")
}

pub(crate) fn current(kernel: &Kernel) -> Result<String> {
    files::read(&path(kernel))
}

/// `base` without the symbols that `wanted` sets, then `wanted`: Kconfig warns of a symbol that is set twice.
fn merge(base: &str, wanted: &str) -> String {
    let set: Vec<&str> = settings(wanted).filter_map(symbol).collect();
    let kept = base.lines().filter(|line| symbol(line).is_none_or(|name| !set.contains(&name)));
    kept.chain(settings(wanted)).fold(String::new(), |text, line| text + line + "\n")
}

fn settings(config: &str) -> impl Iterator<Item = &str> {
    config.lines().filter(|line| symbol(line).is_some())
}

/// The symbol of `CONFIG_X=…` or `# CONFIG_X is not set`.
fn symbol(line: &str) -> Option<&str> {
    let name = match line.strip_prefix("# ") {
        Some(comment) => comment.strip_suffix(" is not set")?,
        None => line.split_once('=')?.0,
    };
    name.starts_with("CONFIG_").then_some(name)
}

fn missing<'a>(config: &str, wanted: &'a str) -> Vec<&'a str> {
    settings(wanted).filter(|line| !config.lines().any(|present| present == *line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "# Linux/x86\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=y\n";

    #[test]
    fn wanted_settings_replace_what_was_there() {
        let merged = merge(BASE, "# why\nCONFIG_B=y\n# CONFIG_A is not set\n");
        assert_eq!(merged, "# Linux/x86\nCONFIG_AB=y\nCONFIG_B=y\n# CONFIG_A is not set\n");
        assert_eq!(merge(&merged, "CONFIG_B=y\n").matches("CONFIG_B=y").count(), 1);
    }

    #[test]
    fn what_kconfig_dropped_is_named() {
        assert_eq!(missing(BASE, "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=\"\"\n"), ["CONFIG_B=y", "CONFIG_C=\"\""]);
    }

    #[test]
    fn the_subset_asks_for_thinlto_and_an_embedded_config() {
        let settings: Vec<&str> = settings(SUBSET).collect();
        assert!(settings.contains(&"CONFIG_LTO_CLANG_THIN=y") && settings.contains(&"CONFIG_IKCONFIG_PROC=y"));
    }
}
