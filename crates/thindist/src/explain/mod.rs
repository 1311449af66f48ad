//! `thindist explain`: why a backend ran, from what its action and the one before it depend on.
//!
//! Each link leaves what its actions were made of in the cache's state (`record`), field by field as the key's own traversal gives
//! it; so what a key has an explanation cannot lack. All of it may be lost: then there is nothing to compare with, and that is said.

mod show;

use crate::ui;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::explained::record::{Explained, Records};
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::settings::{Settings, nearest};
use thindist_exec::State;

/// `thindist explain`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A module, the beginning of a key, or an output; without one, all of the last link
    #[arg(value_name = "MODULE|KEY|OUTPUT", value_hint = ValueHint::FilePath)]
    what: Option<String>,
    /// The last link of this output, instead of the last link
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

pub(crate) fn run(environment: &Environment, options: &Options) -> Result<ExitCode> {
    let state = State::open(&Settings::load(environment)?.cache_dir()?);
    let records = Records { state: &state };
    let text = match &options.output {
        Some(output) => of_link(&records, link_of(&records, output)?, options.what.as_deref())?,
        None => find(&records, options.what.as_deref())?,
    };
    ui::show(format_args!("{text}"));
    Ok(ExitCode::SUCCESS)
}

/// In the last link, unless an output is named.
fn find(records: &Records<'_>, what: Option<&str>) -> Result<String> {
    let last = records.last().ok_or_else(|| {
        Failure::new("no link is on record")
            .hint("link something with ld.thindist: a link that is remembered whole leaves nothing")
    });
    let Some(what) = what else { return of_link(records, last?, None) };
    match last {
        Ok(link) if link.action(what)?.is_some() => of_link(records, link, Some(what)),
        last => match records.of_output(&absolute(what.as_ref())?) {
            Some(link) => of_link(records, link, None),
            None => Err(unknown(&last?, what)),
        },
    }
}

fn absolute(path: &std::path::Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| io("find", path, &error))
}

fn link_of(records: &Records<'_>, output: &std::path::Path) -> Result<Explained> {
    records.of_output(&absolute(output)?).ok_or_else(|| {
        Failure::new(format_args!("no link of {} is on record", output.display()))
            .hint("link it with ld.thindist: a link that is remembered whole leaves nothing")
    })
}

fn of_link(records: &Records<'_>, link: Explained, what: Option<&str>) -> Result<String> {
    let Some(what) = what else { return Ok(show::link(&link, &|ran| records.action(&link, ran))) };
    let ran = link.action(what)?.ok_or_else(|| unknown(&link, what))?;
    Ok(show::action(&link, ran, records.action(&link, ran).as_ref()))
}

fn unknown(link: &Explained, what: &str) -> Failure {
    let failure = Failure::new(format_args!(
        "{what} is no module and no key of the link of {}, and no output on record",
        link.output
    ));
    match nearest(what, link.modules()) {
        Some(module) => failure.hint(format_args!("did you mean {module}?")),
        None => failure.hint("`thindist what-ran` lists the modules and keys of the last link"),
    }
}
