//! The command line as clap has it.

use crate::line::Line;
use crate::ui::{self, Colour};
use crate::{cache_command, cargo, compare, distribute, explain, steps, verify, what_changed, what_ran};
use clap::builder::StyledStr;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

/// The program's name.
pub(super) const NAME: &str = "thindist";
const MORE: &str = "As a linker: called as ld.thindist or ld.lld, or named by LD= or --ld-path=.\n\
    `thindist help COMMAND` says more of a command, `thindist help settings` lists what can be set.";

/// Distributed, cached ThinLTO with the bytes of in-process ThinLTO
#[derive(Debug, Parser)]
#[command(name = NAME, version, disable_help_subcommand = true, max_term_width = 120, after_help = MORE)]
pub(super) struct Cli {
    /// When there are colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Colour,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// One command each; what a comment says is its line in the help and in its man page.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
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

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Help {
    /// A command, or `settings`
    pub(super) topic: Vec<String>,
}

/// Everything as clap has it, the names of subcommands among it.
pub(super) fn command_line() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// How a command is called, for a hint.
pub(super) fn usage(name: &str) -> String {
    let mut line = command_line();
    let command = line.find_subcommand_mut(name).map_or_else(|| Cli::command().render_usage(), |it| it.render_usage());
    ui::on_one_line(&command)
}

pub(super) fn show_help(text: &StyledStr) {
    ui::show(format_args!("{}\n", text.ansi().to_string().trim_end()));
}
