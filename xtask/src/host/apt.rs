//! Debian packages: prints what it will install, and installs only what is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;
use crate::command::arguments;
use crate::host::run;

/// What building and booting a kernel takes, beside its tools.
const KERNEL: &[&str] = &["linux-source-6.12", "qemu-system-x86", "strace"];

/// What Kbuild calls, beside the compilers.
const KERNEL_TOOLS: &[&str] = &[
    "bc",
    "bison",
    "cpio",
    "flex",
    "gcc",
    "git",
    "gzip",
    "kmod",
    "libc6-dev",
    "libelf-dev",
    "libssl-dev",
    "make",
    "patch",
    "pahole",
    "perl",
    "python3",
    "rsync",
    "xz-utils",
];

/// The compilers of one LLVM version.
pub(crate) fn llvm(version: u32) -> Vec<String> {
    ["clang", "lld", "llvm"].map(|tool| format!("{tool}-{version}")).to_vec()
}

/// The task `install`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    arguments::reject_rest(arguments)?;
    ensure(&everything())
}

pub(crate) fn everything() -> Vec<String> {
    [compilers(), build_systems(), shells(), kernel(), vec!["qemu-user".to_owned()]].concat()
}

/// Those of the versions that tests link with: 19 and 22 everything, the older ones what differs.
pub(crate) fn compilers() -> Vec<String> {
    [22, 19, 16, 15, 14].map(llvm).concat()
}

/// What the tests try completions and man pages with, in a terminal of their own.
pub(crate) fn shells() -> Vec<String> {
    ["bash", "bsdutils", "fish", "man-db", "zsh"].map(String::from).to_vec()
}

/// What the tests build small projects with, beside cargo and make. The fuzz targets want g++, too: the libFuzzer that they
/// bring along is C++.
pub(crate) fn build_systems() -> Vec<String> {
    ["cmake", "g++", "meson", "ninja-build"].map(String::from).to_vec()
}

/// The sources of the older kernel.
pub(crate) fn older_kernel() -> Vec<String> {
    vec!["linux-source-6.1".to_string()]
}

pub(crate) fn kernel() -> Vec<String> {
    [owned(KERNEL), kernel_tools()].concat()
}

pub(crate) fn kernel_tools() -> Vec<String> {
    owned(KERNEL_TOOLS)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Installs those of `packages` that are missing; does nothing, not even start apt, when there are none.
pub(crate) fn ensure(packages: &[String]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing with apt-get: {}", missing.join(" "));
    if !are_offered(&missing) {
        run::shown(&mut apt_get(&["update"])?)?;
        return install(&missing);
    }
    // Lists that know a package may still be older than the mirror, which then no longer has that version.
    install(&missing).or_else(|_| {
        run::shown(&mut apt_get(&["update"])?)?;
        install(&missing)
    })
}

fn install(packages: &[String]) -> Result<()> {
    let mut command = apt_get(&["install", "--no-install-recommends", "-y"])?;
    run::shown(command.args(packages))
}

/// apt-get as root. sudo clears the environment, so the variable is set behind it.
fn apt_get(arguments: &[&str]) -> Result<Command> {
    const QUIET: &str = "DEBIAN_FRONTEND=noninteractive";
    let mut command = if is_root() { Command::new("env") } else { sudo()? };
    command.args([QUIET, "apt-get"]).args(arguments);
    Ok(command)
}

fn sudo() -> Result<Command> {
    let there = Command::new("sudo").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match there {
        Ok(status) if status.success() => {
            let mut command = Command::new("sudo");
            command.arg("env");
            Ok(command)
        }
        _ => Err("installing packages needs root, and there is no sudo: run `cargo xtask install` as root".into()),
    }
}

/// The owner of /proc/self is the effective user of this process.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self").metadata().is_ok_and(|data| data.uid() == 0)
}

fn missing(packages: &[String]) -> Result<Vec<String>> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${Package} ${db:Status-Status}\n"]).args(packages).stderr(Stdio::null());
    // Its exit code is 1 as soon as one package is unknown; what it printed of the others counts all the same.
    let output = query.output().map_err(|error| {
        format!("cannot start dpkg-query ({error}): the tasks are for Debian; needed are {}", packages.join(" "))
    })?;
    let installed = installed(&String::from_utf8_lossy(&output.stdout));
    Ok(packages.iter().filter(|package| !installed.contains(*package)).cloned().collect())
}

fn installed(listing: &str) -> BTreeSet<String> {
    let names = listing.lines().filter_map(|line| line.strip_suffix(" installed"));
    names.map(String::from).collect()
}

/// Whether apt's lists have a version of each package to offer.
pub(crate) fn are_offered(packages: &[String]) -> bool {
    packages.iter().all(|package| {
        let policy = Command::new("apt-cache").arg("policy").arg(package).env("LC_ALL", "C").output();
        policy.is_ok_and(|output| has_candidate(&String::from_utf8_lossy(&output.stdout)))
    })
}

fn has_candidate(policy: &str) -> bool {
    policy.lines().any(|line| line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_is_not_installed() {
        let found = installed("clang-22 installed\nbc config-files\nlld-22 installed\nflex not-installed\n");
        assert_eq!(found, BTreeSet::from(["clang-22".to_string(), "lld-22".to_string()]));
    }

    #[test]
    fn a_candidate_is_a_version() {
        assert!(has_candidate("bc:\n  Installed: (none)\n  Candidate: 1.07.1-3+b1\n"));
        assert!(!has_candidate("bc:\n  Installed: (none)\n  Candidate: (none)\n"));
        assert!(!has_candidate(""));
    }
}
