//! thindist: distributed ThinLTO. This file maps command names to entrances; each entrance is a file.

mod cache_command;
mod cargo;
mod compare;
mod distribute;
mod doctor;
mod failure;
mod interrupt;
mod link;
mod object_diff;
mod output;
mod private_line;
mod progress;
#[cfg(test)]
mod reference;
mod remote;
mod say;
mod settings;
mod stats;
mod steps;
mod tools;
mod verify;
mod what_changed;
mod what_ran;

use failure::{Failure, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
thindist: distributed, cached ThinLTO with the bytes of in-process ThinLTO

  ld.thindist <lld arguments>             the linker: called by this name or as ld.lld, named by LD= or --ld-path=
  thindist ld -- <lld arguments>          the same as a command
  thindist verify -- <lld arguments>      link in-process and distributed, and compare native objects and output:
                                          exit 0 identical, 1 different, 2 could not run
  thindist compare [--rounds N] [--format json] -- <lld arguments>
                                          measure both side by side: time, memory, disk
  thindist diff A B                       compare two ELF files as verify does, apart from the order of symbols
  thindist thin-link --list FILE -- <lld arguments>
                                          the thin link as a build step: an index and a job file for each module
  thindist backend [-o FILE] JOB…         native objects from job files
  thindist final-link --list FILE -- <lld arguments>
                                          the output from native objects; takes the line and list of thin-link
  thindist emit ninja|make|json -o FILE -- <lld arguments>
                                          these steps as a build graph
  thindist cargo [--with-c] <cargo's arguments>
                                          cargo with thindist as the linker; --with-c: C and C++ as bitcode too
  thindist distribute [options] JOB.json  the distributor of lld's DTLTO: --thinlto-distributor=
  thindist cc <compiler> <arguments>      a compiler whose ThinLTO backends (-fthinlto-index=) come from the stores
  thindist what-changed OLD NEW           compare native objects, or directories of them: which functions differ, and why:
                                          exit 0 none, 1 some, 2 could not run
  thindist what-ran [FILE…] [--reproduce KEY|MODULE]
                                          where each native object of the last link came from, its times and bytes;
                                          or a command that runs one of its backends again
  thindist cache stats|gc|verify|clear    the local stores
  thindist doctor                         check this machine's tools, its stores and the remote server
  thindist help settings                  flags, environment variables, keys of thindist.toml
  thindist --version
";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called_as = words
        .next()
        .and_then(|name| Some(Path::new(&name).file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "thindist".to_owned());
    let words: Vec<OsString> = words.collect();
    let outcome = if tools::is_linker_name(&called_as) { link::run(&called_as, words) } else { command(words) };
    outcome.unwrap_or_else(|failure| failure.report())
}

fn command(words: Vec<OsString>) -> Result<ExitCode> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default();
    match name.to_str().unwrap_or_default() {
        "ld" => link::run("ld.thindist", after_dashes(words)),
        "verify" => verify::run(after_dashes(words)),
        "compare" => compare::run(words),
        "distribute" => distribute::run(words),
        // lld calls a distributor without arguments of its own so.
        job_file if job_file.ends_with(".dist-file.json") => distribute::run([name].into_iter().chain(words)),
        link::MESSENGER => link::tell_linker(words),
        "diff" => verify::diff(&words.collect::<Vec<_>>()),
        "thin-link" => steps::thin_link(words),
        "backend" => steps::backend(words),
        "cc" => steps::cc(words),
        "what-ran" => what_ran::run(words),
        "what-changed" => what_changed::run(words),
        "final-link" => steps::final_link(words),
        "emit" => steps::emit(words),
        "cargo" => cargo::run(words),
        "cache" => cache_command::run(&words.collect::<Vec<_>>()),
        "doctor" => doctor::run(),
        "help" if words.next().is_some_and(|topic| topic == "settings") => print(&settings::help()),
        "help" | "--help" | "-h" => print(HELP),
        "--version" | "-V" => print(&format!("thindist {}\n", env!("CARGO_PKG_VERSION"))),
        "" => Err(Failure::new("no command").hint("`thindist help` lists them")),
        other => Err(Failure::new(format_args!("unknown command `{other}`")).hint("`thindist help` lists them")),
    }
}

/// `ld -- <arguments>`: the dashes may be left out.
fn after_dashes(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.peekable();
    words.next_if(|word| word == "--");
    words.collect()
}

fn print(text: &str) -> Result<ExitCode> {
    say::print(format_args!("{text}"));
    Ok(ExitCode::SUCCESS)
}
