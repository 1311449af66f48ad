//! `thindist compare -- <lld arguments>`: does one link each way, side by side, and measures the cost.
//!
//! `verify` says whether the objects are the same; this says what they cost, from outside, as a build system would see it.

mod report;

use crate::object_diff::{self, NewSuffixes};
use crate::ui;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};
use report::{Format, Output, Report};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::measure::{self, Measurement};

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
    let Options { rounds, format, line } = options;
    let show = |measurement: &Measurement| show(measurement, format);
    measure::link(environment, line, rounds, show).map_err(|failure| failure.no_answer())
}

fn show(measurement: &Measurement, format: Format) -> Result<ExitCode> {
    let output = compared(&measurement.in_process, &measurement.distributed)?;
    let report = Report::new(measurement, output);
    ui::print(&report.render(format)?);
    Ok(if report.output.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What there is to say of the two outputs.
fn compared(in_process: &Path, distributed: &Path) -> Result<Output> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| io("read", path, &error));
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
