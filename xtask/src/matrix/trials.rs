//! What a version is tried with: each trial is a program of this project in the place where the version is.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::place::Place;
use crate::Result;
use crate::figures::checks::require;
use crate::host::project::Home;
use crate::host::{cargo, run};
use crate::programs;

/// What the trials are made with.
#[derive(Debug)]
pub(super) struct Programs {
    thindist: PathBuf,
    xtask: PathBuf,
    link_lines: PathBuf,
    end_to_end: PathBuf,
}

impl Programs {
    /// Builds them, and fetches the sources of the programs that are linked: there is no cargo in a root.
    pub(super) fn build() -> Result<Self> {
        programs::fetch()?;
        let tests = tests(&["link_lines", "e2e"])?;
        let [link_lines, end_to_end] =
            tests.try_into().map_err(|_| "cargo built other tests than asked for".to_owned())?;
        let xtask = std::env::current_exe().map_err(|error| format!("cannot tell which program this is: {error}"))?;
        Ok(Self { thindist: cargo::program()?, xtask, link_lines, end_to_end })
    }
}

/// The programs of the tests with these names. All are built, as `cargo xtask test` has done already: others would be compiled anew.
fn tests(names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = cargo::command(&["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let messages = run::output(&mut command)?;
    let messages = String::from_utf8_lossy(&messages);
    let built: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |name: &&str| {
        let found = built.iter().find_map(|message| {
            let is_it = message.pointer("/target/name")?.as_str()? == *name;
            message.get("executable")?.as_str().filter(|_| is_it).map(PathBuf::from)
        });
        found.ok_or_else(|| format!("cargo built no test named {name}"))
    };
    names.iter().map(of).collect()
}

/// A version under trial.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) llvm: u32,
    pub(super) place: &'a Place,
    pub(super) programs: &'a Programs,
    pub(super) home: &'a Home,
    /// Of random links.
    pub(super) seeds: u32,
    pub(super) from: u32,
}

/// One trial. Its outcome is a cell of the page.
#[derive(Debug)]
pub(super) struct Trial {
    /// The head of its column.
    pub(super) name: &'static str,
    pub(super) run: fn(&Subject<'_>) -> Result<String>,
}

/// Those that every version goes through; the first of them each day.
pub(super) const TRIALS: &[Trial] = &[
    Trial { name: "table of link lines", run: link_lines },
    Trial { name: "C and C++", run: c_and_cxx },
    Trial { name: "random links", run: random_links },
    Trial { name: "Lua, zstd", run: real_programs },
];

/// How many of them are part of the tests: seconds each.
pub(super) const EACH_DAY: usize = 3;

/// The one that takes minutes.
pub(super) const KERNEL: Trial = Trial { name: "vmlinux.o", run: kernel };

impl Subject<'_> {
    fn run(&self, what: &str, mut command: Command) -> Result<String> {
        command.env("THINDIST_TEST_LLVM", self.llvm.to_string()).env("THINDIST_XTASK_BIN", &self.programs.thindist);
        let log = self.home.log(&format!("{}-{what}", self.llvm));
        run::logged(&format!("LLVM {}: {what}", self.llvm), &mut command, &log)?;
        crate::host::files::read(&log)
    }

    fn xtask(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(&self.programs.xtask);
        command.args(words).args(["--llvm", &self.llvm.to_string()]);
        command
    }
}

fn link_lines(subject: &Subject<'_>) -> Result<String> {
    let command = subject.place.command(&subject.programs.link_lines);
    passed(&subject.run("link-lines", command)?)
}

fn c_and_cxx(subject: &Subject<'_>) -> Result<String> {
    let mut command = subject.place.command(&subject.programs.end_to_end);
    command.arg("versions::of_each::");
    passed(&subject.run("c-and-cxx", command)?)
}

fn random_links(subject: &Subject<'_>) -> Result<String> {
    let (seeds, from) = (subject.seeds.to_string(), subject.from.to_string());
    let command = subject.xtask(&["fuzz", "links", "--seeds", &seeds, "--from", &from]);
    let said = subject.run("random-links", command)?;
    let equal: Vec<u64> =
        said.lines().filter(|line| line.starts_with("pass  links")).filter_map(first_number).collect();
    require(!equal.is_empty(), || format!("no way was tried:\n{said}"))?;
    Ok(format!("{} equal", equal.iter().sum::<u64>()))
}

/// The number of equal links of a way's line.
fn first_number(line: &str) -> Option<u64> {
    line.rsplit_once(": ")?.1.split(' ').next()?.parse().ok()
}

fn real_programs(subject: &Subject<'_>) -> Result<String> {
    let command = subject.xtask(&["programs", "lua", "zstd"]);
    checked(&subject.run("programs", command)?)
}

fn kernel(subject: &Subject<'_>) -> Result<String> {
    checked(&subject.run("kernel", subject.xtask(&["kernel", "link"]))?)
}

/// The closing line of a test program.
fn passed(said: &str) -> Result<String> {
    let line = said.lines().rev().find_map(|line| line.strip_prefix("test result: ok. "));
    let passed = line.and_then(|line| line.split(' ').next()?.parse::<u32>().ok()).unwrap_or(0);
    require(passed > 0, || format!("no test ran:\n{said}"))?;
    Ok(format!("{passed} passed"))
}

/// The closing line of named checks.
fn checked(said: &str) -> Result<String> {
    let line = said.lines().rev().find(|line| line.ends_with(" passed, 0 failed"));
    line.map(|line| line.trim_end_matches(", 0 failed").to_owned()).ok_or_else(|| format!("no closing line:\n{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        assert_eq!(passed("x\ntest result: ok. 121 passed; 0 failed; 0 ignored\n").unwrap(), "121 passed");
        assert!(passed("test result: ok. 0 passed; 0 failed\n").is_err());
        assert_eq!(checked("pass  a: b\n6 passed, 0 failed\n").unwrap(), "6 passed");
        assert!(checked("5 passed, 1 failed\n").is_err());
        assert_eq!(first_number("pass  links, LLVM 23, auto: 40 equal, 3 of them links"), Some(40));
    }
}
