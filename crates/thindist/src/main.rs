//! thindist: distributed ThinLTO. This file maps command names to entrances; each entrance is a file.

mod cache_command;
mod cargo;
mod cli;
mod compare;
mod distribute;
mod doctor;
mod exit;
mod explain;
mod line;
mod object_diff;
#[cfg(test)]
mod reference;
mod steps;
mod trace;
mod ui;
mod verify;
mod what_changed;
mod what_ran;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::Result;

/// How the names of lld's job files for a distributor end.
const JOB: &str = ".dist-file.json";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called_as = words
        .next()
        .and_then(|name| Some(Path::new(&name).file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "thindist".to_owned());
    let words: Vec<OsString> = words.collect();
    // lld calls the program by its own name, which need not be thindist where ld.thindist is no symbolic link.
    let is_linker = thindist_engine::tools::is_linker_name(&called_as) && !is_message(&words);
    let environment = Environment::of(std::env::vars_os()).heard_by(ui::Streams);
    let run = || {
        if is_linker { thindist_engine::run(&environment, &called_as, words) } else { command(&environment, words) }
    };
    let outcome = trace::start().and_then(|()| run());
    outcome.unwrap_or_else(|failure| exit::after(&failure))
}

/// A job of a link by ld.thindist: a line for a linker has no such file.
fn is_message(words: &[OsString]) -> bool {
    matches!(words, [word, _, job] if word == thindist_engine::MESSENGER && is_job(job))
}

fn is_job(word: &OsString) -> bool {
    word.as_encoded_bytes().ends_with(JOB.as_bytes())
}

/// What lld and builds call, by the thousand, is known by its first words; everything else is a person's line.
fn command(environment: &Environment, words: Vec<OsString>) -> Result<ExitCode> {
    let is = |position: usize, name: &str| words.get(position).is_some_and(|word| word == name);
    let is_word = |word: Option<&OsString>| word.is_some_and(|word| !word.as_encoded_bytes().starts_with(b"-"));
    match () {
        () if is(0, "ld") => thindist_engine::run(environment, "ld.thindist", after_dashes(words)),
        () if is(0, thindist_engine::MESSENGER) => thindist_engine::tell(words.into_iter().skip(1)),
        // lld calls a distributor without arguments of its own so.
        () if words.first().is_some_and(is_job) => distribute::run(environment, distribute::Options { words }),
        () if is(0, "distribute") && words.last().is_some_and(is_job) => {
            distribute::run(environment, distribute::Options { words: words.into_iter().skip(1).collect() })
        }
        () if is(0, "cc") && is_word(words.get(1)) => {
            let mut words = words.into_iter().skip(1);
            thindist_engine::steps::cc(environment, words.next().unwrap_or_default(), words.collect())
        }
        () => cli::run(environment, words),
    }
}

/// `ld -- <arguments>`: the dashes may be left out.
fn after_dashes(words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter().skip(1).peekable();
    words.next_if(|word| word == "--");
    words.collect()
}
