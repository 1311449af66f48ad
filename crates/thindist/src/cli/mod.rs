//! The command line: every command with its options and its help. Completions and man pages are made of the same.
//!
//! What lld and builds call by the thousand (`ld`, `cc`, the distributor and its messenger) does not come here: `main` knows it by
//! its first words.

mod bad_line;
mod man;
mod parser;

use crate::ui::{self, Colour};
use crate::{cache_command, cargo, compare, distribute, doctor, explain, steps, verify, what_changed, what_ran};
use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;
use parser::{Cli, Command, NAME, command_line, show_help};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings;

/// `man-pages DIRECTORY` is for packagers: it is among no commands, as shells complete also those that are hidden.
const MAN_PAGES: &str = "man-pages";
/// What `thindist help` knows beside the commands.
const SETTINGS: &str = "settings";

/// Does what a line says that is none of lld's or a compiler's.
pub(crate) fn run(environment: &Environment, mut words: Vec<OsString>) -> Result<ExitCode> {
    if let [name, directory] = words.as_slice()
        && name == MAN_PAGES
    {
        return man::write(&command_line(), Path::new(directory));
    }
    cargo::keep_words(&mut words);
    Colour::of(&words).choose();
    match Cli::try_parse_from(std::iter::once(NAME.into()).chain(words.iter().cloned())) {
        Ok(Cli { command: Some(command), .. }) => command.run(environment),
        Ok(Cli { command: None, .. }) => Err(Failure::new("no command").hint(bad_line::LIST)),
        Err(error) => bad_line::answer(&error, &words),
    }
}

impl Command {
    fn run(self, environment: &Environment) -> Result<ExitCode> {
        match self {
            Self::Ld(line) => thindist_engine::run(environment, "ld.thindist", line.words),
            Self::Verify(line) => verify::run(environment, line),
            Self::Compare(options) => compare::run(environment, options),
            Self::Diff(files) => verify::diff(&files),
            Self::ThinLink(options) => steps::thin_link(environment, options),
            Self::Backend(options) => steps::backend(environment, options),
            Self::FinalLink(options) => steps::final_link(environment, options),
            Self::Emit(options) => steps::emit(environment, options),
            Self::Cargo(options) => cargo::run(environment, options),
            Self::Distribute(options) => distribute::run(environment, options),
            Self::Cc(options) => steps::cc(environment, options),
            Self::WhatChanged(options) => what_changed::run(&options),
            Self::WhatRan(options) => what_ran::run(environment, options),
            Self::Explain(options) => explain::run(environment, &options),
            Self::Cache(options) => cache_command::run(environment, &options),
            Self::Doctor => doctor::run(environment),
            Self::Completions(completions) => complete(completions.shell),
            Self::Help(help) => print_help(&help.topic),
        }
    }
}

fn complete(shell: Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    ui::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

fn print_help(topic: &[String]) -> Result<ExitCode> {
    let mut line = command_line();
    if topic.first().is_some_and(|topic| topic == SETTINGS) {
        ui::print(&settings::help());
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = &mut line;
    for name in topic {
        let known: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
        let found = command.find_subcommand_mut(name);
        command =
            found.ok_or_else(|| bad_line::unknown_topic(name, known.iter().map(String::as_str).chain([SETTINGS])))?;
    }
    show_help(&command.render_long_help());
    Ok(ExitCode::SUCCESS)
}

/// Each command with its line of help, for docs/reference.md.
#[cfg(test)]
pub(crate) fn commands() -> Vec<(String, String)> {
    let line = command_line();
    let shown = line.get_subcommands().filter(|command| !command.is_hide_set());
    let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|command| (command.get_name().to_owned(), about(command))).collect()
}

#[cfg(test)]
mod tests;
