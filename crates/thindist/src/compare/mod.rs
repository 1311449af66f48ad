//! `thindist compare -- <lld arguments>`: does one link each way, side by side, and measures the cost.
//!
//! `verify` says whether the objects are the same; this says what they cost, from outside, as a build system would see it.
//! Nothing of the user's is written, neither output nor stores: the stores are of this run, so that an empty one is
//! empty. The ways take turns, and who begins changes with each round: figures of two runs cannot be compared.

mod report;
mod ways;

use crate::object_diff::{self, NewSuffixes};
use crate::ui;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};
use report::{Format, Output, Report};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::private_line::{file_name, with_output};
use thindist_engine::settings::Settings;
use thindist_engine::workspace::Session;
use thindist_engine::{pipeline, stop};
use ways::{Bench, Measured};

/// `thindist compare`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each way is measured
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    rounds: usize,
    /// How the figures are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The arguments of lld
    #[arg(last = true, required = true, value_name = "LLD ARGUMENTS", value_hint = ValueHint::FilePath)]
    line: Vec<OsString>,
}

pub(crate) fn run(environment: &Environment, options: Options) -> Result<ExitCode> {
    begin(environment, options).map_err(|failure| failure.no_answer())
}

fn begin(environment: &Environment, options: Options) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (mut session, survey) = thindist_engine::open(&mut settings, options.line)?;
    if !survey.has_bitcode() {
        return Err(Failure::new("no bitcode among the inputs: nothing to compare"));
    }
    let outcome = measure(&mut session, options.rounds, survey.bitcode().len()).and_then(|report| {
        ui::print(&report.render(options.format)?);
        Ok(if report.output.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    });
    session.finish(outcome)
}

fn measure(session: &mut Session, rounds: usize, modules: usize) -> Result<Report> {
    session.workspace.settings.reject_beyond_in_process("a comparison with in-process")?;
    LinkFlags::of(&session.line).map_err(|refusal| pipeline::only_in_process(stop::Stop::Refused(refusal)))?;
    let directory = session.workspace.make_directory("compare")?;
    let output = directory.join(file_name(session.line.output()));
    session.line = with_output(&session.line, &output)?;
    let session = &*session;
    let mut measured: Vec<Measured> = Vec::new();
    let mut outputs = None;
    for number in 0..rounds {
        let round = Bench { session, directory: &directory, output: &output }.round(number)?;
        measured.extend(round.measured);
        outputs = Some(round.outputs);
    }
    let outputs = outputs.ok_or_else(|| Failure::new("no round was measured"))?;
    let output = compared(&outputs.in_process, &outputs.distributed)?;
    let tools = [&session.lld, &session.clang].map(|tool| tool.version_line().to_owned());
    Ok(Report::new(rounds, modules, tools, &measured, output))
}

/// What there is to say of the two outputs.
fn compared(in_process: &Path, distributed: &Path) -> Result<Output> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| thindist_engine::failure::io("read", path, &error));
    let (theirs, ours) = (read(in_process)?, read(distributed)?);
    let bytes = [theirs.len() as u64, ours.len() as u64];
    let differences = match theirs == ours {
        true => None,
        false => {
            Some(object_diff::compare(&theirs, &ours, &NewSuffixes::new()).map_err(Failure::of)?.differences.len())
        }
    };
    Ok(Output { bytes, differences })
}
