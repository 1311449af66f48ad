//! The command line: every command with its options and its help. Completions and man pages are made of the same.
//!
//! What lld and builds call by the thousand (`ld`, `cc`, the distributor and its messenger) does not come here: `main` knows it by
//! its first words.

mod bad_line;
mod man;

use thindist_engine::settings::nearest;

use crate::ui::{self, Colour};
use crate::{cache_command, cargo, compare, distribute, doctor, explain, steps, verify, what_changed, what_ran};
use clap::builder::StyledStr;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings;

/// The program's name.
const NAME: &str = "thindist";
/// `man-pages DIRECTORY` is for packagers: it is among no commands, as shells complete also those that are hidden.
const MAN_PAGES: &str = "man-pages";
/// What `thindist help` knows beside the commands.
const SETTINGS: &str = "settings";

const MORE: &str = "As a linker: called as ld.thindist or ld.lld, or named by LD= or --ld-path=.\n\
    `thindist help COMMAND` says more of a command, `thindist help settings` lists what can be set.";

/// Distributed, cached ThinLTO with the bytes of in-process ThinLTO
#[derive(Debug, Parser)]
#[command(name = NAME, version, disable_help_subcommand = true, max_term_width = 120, after_help = MORE)]
struct Cli {
    /// When there are colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
    #[command(subcommand)]
    command: Option<Command>,
}

/// One command each; what a comment says is its line in the help and in its man page.
#[derive(Debug, Subcommand)]
enum Command {
    /// Link, as ld.thindist does
    Ld(Line),
    /// Link in-process and distributed, and compare every native object and the output
    ///
    /// Exit codes: 0 they are the same, 1 they are not, 2 it could not be found out.
    Verify(Line),
    /// Measure a link in-process and distributed side by side: time, memory, disk
    ///
    /// Exit codes: 0 measured, and the outputs are the same; 1 they are not, 2 it could not be measured.
    Compare(compare::Options),
    /// Compare two ELF files as `verify` does, the order of symbols aside
    ///
    /// Exit codes: 0 they are the same, 1 they are not, 2 they cannot be read.
    Diff(verify::Files),
    /// Write the plan of a link as files: an index and a job beside each module
    ThinLink(steps::ThinLinkOptions),
    /// Make native objects from job files
    Backend(steps::BackendOptions),
    /// Link native objects: with the same line and list as `thin-link`
    FinalLink(steps::FinalLinkOptions),
    /// Write these steps as a build graph
    Emit(steps::EmitOptions),
    /// Run cargo with thindist as its linker
    Cargo(cargo::Options),
    /// Make native objects for an lld that links with DTLTO (--thinlto-distributor=)
    Distribute(distribute::Options),
    /// Run a compiler whose ThinLTO backends (-fthinlto-index=) come from the stores
    Cc(steps::CcOptions),
    /// Say which functions of native objects differ, and why
    ///
    /// Exit codes: 0 none, 1 some, 2 they cannot be compared.
    WhatChanged(what_changed::Options),
    /// Say where each native object of the last link came from, and what that took
    WhatRan(what_ran::Options),
    /// Say why a backend ran: the first input that differs, and what would have spared it
    Explain(explain::Options),
    /// Look after the local stores
    Cache(cache_command::Options),
    /// Say what thindist finds on this machine
    Doctor,
    /// Print a shell's completions of this command line
    Completions(Completions),
    /// Print the help of a command, or the settings
    Help(Help),
}

/// A linker's line.
#[derive(Debug, Args)]
pub(crate) struct Line {
    /// The arguments of lld, best behind `--`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "LLD ARGUMENTS",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) words: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
struct Help {
    /// A command, or `settings`
    topic: Vec<String>,
}

/// Does what a line says that is none of lld's or a compiler's.
pub(crate) fn run(mut words: Vec<OsString>) -> Result<ExitCode> {
    if let [name, directory] = words.as_slice()
        && name == MAN_PAGES
    {
        return man::write(&command_line(), Path::new(directory));
    }
    cargo::keep_words(&mut words);
    Colour::of(&words).choose();
    match Cli::try_parse_from(std::iter::once(NAME.into()).chain(words.iter().cloned())) {
        Ok(Cli { command: Some(command), .. }) => command.run(),
        Ok(Cli { command: None, .. }) => Err(Failure::new("no command").hint(bad_line::LIST)),
        Err(error) => bad_line::answer(&error, &words),
    }
}

impl Command {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Ld(line) => thindist_engine::run("ld.thindist", line.words),
            Self::Verify(line) => verify::run(line),
            Self::Compare(options) => compare::run(options),
            Self::Diff(files) => verify::diff(&files),
            Self::ThinLink(options) => steps::thin_link(&options),
            Self::Backend(options) => steps::backend(&options),
            Self::FinalLink(options) => steps::final_link(options),
            Self::Emit(options) => steps::emit(options),
            Self::Cargo(options) => cargo::run(options),
            Self::Distribute(options) => distribute::run(options),
            Self::Cc(options) => steps::cc(options),
            Self::WhatChanged(options) => what_changed::run(&options),
            Self::WhatRan(options) => what_ran::run(options),
            Self::Explain(options) => explain::run(&options),
            Self::Cache(options) => cache_command::run(&options),
            Self::Doctor => doctor::run(),
            Self::Completions(completions) => complete(completions.shell),
            Self::Help(help) => print_help(&help.topic),
        }
    }
}

/// Everything as clap has it, the names of subcommands among it.
fn command_line() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// How a command is called, for a hint.
pub(crate) fn usage(name: &str) -> String {
    let mut line = command_line();
    let command = line.find_subcommand_mut(name).map_or_else(|| Cli::command().render_usage(), |it| it.render_usage());
    let text = command.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    text.replacen("Usage: ", "usage: ", 1)
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

fn show_help(text: &StyledStr) {
    ui::show(format_args!("{}\n", text.ansi().to_string().trim_end()));
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
