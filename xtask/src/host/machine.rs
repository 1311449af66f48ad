//! The machine of a measurement, for the JSON that a bench writes.

use std::process::{Command, Stdio};

use serde::Serialize;

use crate::host::files;
use crate::host::project;

/// The machine and the versions on it.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cpus: usize,
    memory_kib: u64,
    os: String,
    clang: String,
    lld: String,
    commit: String,
}

impl Machine {
    /// For a page of figures: where they are from.
    pub(crate) fn sentence(&self) -> String {
        let gib = self.memory_kib as f64 / f64::from(1 << 20);
        let (cpu, cpus, os) = (&self.cpu, self.cpus, &self.os);
        format!(
            "Measured on {cpus} CPUs ({cpu}), {gib:.0} GiB, {os}; {}; {}; commit {}.",
            self.clang, self.lld, self.commit
        )
    }
}

pub(crate) fn describe(llvm: u32) -> Machine {
    Machine {
        cpu: field("/proc/cpuinfo", "model name").unwrap_or_default(),
        cpus: cpus(),
        memory_kib: memory_kib().unwrap_or(0),
        os: os().unwrap_or_default(),
        clang: first_line(&format!("clang-{llvm}"), &["--version"]),
        lld: first_line(&format!("ld.lld-{llvm}"), &["--version"]),
        commit: first_line("git", &["describe", "--always", "--dirty"]),
    }
}

pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory_kib() -> Option<u64> {
    field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()
}

fn os() -> Option<String> {
    let text = files::read("/etc/os-release".as_ref()).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_string())
}

/// The value behind `name` in a file of `name : value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = files::read(path.as_ref()).ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_string())
}

/// A description is not worth failing for: what cannot be asked stays empty.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(project::root()).stderr(Stdio::null()).output();
    let bytes = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_string()
}
