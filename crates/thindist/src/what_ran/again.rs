//! `thindist what-ran --reproduce`: one backend of a link, so that it can be run by hand.

use crate::ui;
use std::process::ExitCode;
use thindist_core::formats::build_graph::shell;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::replay::{self, Replay};
use thindist_engine::what_ran::{Action, Link, Ran};

/// Below the current directory.
const DIRECTORY: &str = "thindist-reproduce";

/// Prints a command that runs the backend which `wanted` names, by the start of its key or by its module.
pub(super) fn run(environment: &Environment, rans: &[Ran], wanted: &str) -> Result<ExitCode> {
    let (link, action) = find(rans, wanted)?;
    let target = std::path::absolute(DIRECTORY).map_err(|error| io("find", DIRECTORY, &error))?;
    std::env::set_current_dir(&link.directory).map_err(|error| io("enter", &link.directory, &error))?;
    let Replay { directory, commands } = replay::lay_out(environment, link, &action.key, &target)?;
    let directory = shell(&[directory.to_string_lossy().into_owned()]);
    let commands: Vec<String> = commands.iter().map(|words| shell(words)).collect();
    ui::print(&format!("cd {directory} && {}\n", commands.join(" && ")));
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(rans: &'a [Ran], wanted: &str) -> Result<(&'a Link, &'a Action)> {
    let all = || rans.iter().flat_map(|ran| ran.actions.iter().map(move |action| (&ran.link, action)));
    let named: Vec<_> = all().filter(|(_, action)| action.module == wanted).collect();
    let meant =
        if named.is_empty() { all().filter(|(_, action)| action.key.starts_with(wanted)).collect() } else { named };
    match meant.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::new(format_args!("no action has the module or the key {wanted}"))
            .hint("`thindist what-ran` lists them")),
        [first, ..] if meant.iter().all(|(_, action)| action.key == first.1.key) => Ok(*first),
        _ => Err(Failure::new(format_args!("{} actions have a key that begins with {wanted}", meant.len()))
            .hint("give more of it")),
    }
}
