//! What clap says instead of a command: help and version as they are, and what is wrong with a line as a linker says it.

use super::parser::{command_line, show_help, usage};
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::process::ExitCode;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings::nearest;

pub(super) const LIST: &str = "`thindist help` lists them";

/// Commands with exit codes as `diff` has them: 1 is an answer, and 2 that there is none.
const TWO_FOR_TROUBLE: &[&str] = &["verify", "compare", "diff", "what-changed"];

/// Prints the help that was asked for, or says what is wrong with `words`.
pub(super) fn answer(error: &clap::Error, words: &[OsString]) -> Result<ExitCode> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        show_help(&error.render());
        return Ok(ExitCode::SUCCESS);
    }
    let command = command_of(words);
    let failure = Failure::new(message(&error.render().to_string())).hint(hints(error, command.as_deref()));
    let asks = command.is_some_and(|name| TWO_FOR_TROUBLE.contains(&name.as_str()));
    Err(if asks { failure.no_answer() } else { failure })
}

pub(super) fn unknown_topic<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let failure = Failure::new(format_args!("unknown command `{name}`"));
    match nearest(name, known) {
        Some(meant) => failure.hint(format_args!("did you mean `{meant}`?")),
        None => failure.hint(LIST),
    }
}

/// The command that is called, which stands behind options of ours.
fn command_of(words: &[OsString]) -> Option<String> {
    let line = command_line();
    let known = |word: &OsString| line.find_subcommand(word).map(|command| command.get_name().to_owned());
    words.iter().take_while(|word| *word != "--").find_map(known)
}

/// clap's first paragraph, in one line and without its own name for an error.
fn message(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or(text);
    let words: Vec<&str> = first.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// clap's suggestion, if it has one, and how the command is called.
fn hints(error: &clap::Error, command: Option<&str>) -> String {
    let text = error.render().to_string();
    let tip = text.lines().find_map(|line| line.trim_start().strip_prefix("tip: ")).map(str::to_owned);
    let how = match command {
        Some(command) => Some(usage(command)),
        None if tip.is_none() => Some(LIST.to_owned()),
        None => None,
    };
    tip.into_iter().chain(how).collect::<Vec<_>>().join("\n")
}
