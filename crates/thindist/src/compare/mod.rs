//! `thindist compare -- <lld arguments>`: does one link each way, side by side, and measures the cost.
//!
//! `verify` says whether the objects are the same; this says what they cost, from outside, as a build system would see it.
//! Nothing of the user's is written, neither output nor stores: the stores are of this run, so that an empty one is
//! empty. The ways take turns, and who begins changes with each round: figures of two runs cannot be compared.

mod report;
mod ways;

use crate::failure::{Failure, Result};
use crate::link::{self, Session};
use crate::object_diff::{self, NewSuffixes};
use crate::private_line::{file_name, with_output};
use crate::settings::Settings;
use report::{Format, Output, Report};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use thindist_core::backend_flags::LinkFlags;
use ways::{Bench, Measured};

const USAGE: &str = "usage: thindist compare [--rounds N] [--format text|json] -- <lld arguments>";
/// Exit code 2: the comparison could not be made.
const COULD_NOT_RUN: u8 = 2;

/// The command's own options, and the line.
struct Options {
    rounds: usize,
    format: Format,
    line: Vec<OsString>,
}

pub(crate) fn run(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    begin(words).map_err(|failure| failure.code(COULD_NOT_RUN))
}

fn begin(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let options = Options::read(words)?;
    let mut settings = Settings::load()?;
    let (mut session, survey) = link::open(&mut settings, options.line)?;
    if !survey.has_bitcode() {
        return Err(Failure::new("no bitcode among the inputs: nothing to compare"));
    }
    let outcome = measure(&mut session, options.rounds, survey.bitcode().len()).and_then(|report| {
        print!("{}", report.render(options.format)?);
        Ok(if report.output.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    });
    session.finish(outcome)
}

impl Options {
    fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self> {
        let mut options = Self { rounds: 1, format: Format::Text, line: Vec::new() };
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--") => {
                    options.line.extend(words);
                    return Ok(options);
                }
                Some("--rounds") => options.rounds = rounds(words.next())?,
                Some("--format") => options.format = format(words.next())?,
                _ => return Err(usage(format_args!("unknown argument `{}`", word.display()))),
            }
        }
        Err(usage("no `--` before the linker's arguments"))
    }
}

fn usage(what: impl std::fmt::Display) -> Failure {
    Failure::new(what).hint(USAGE)
}

fn rounds(word: Option<OsString>) -> Result<usize> {
    let count = word.as_ref().and_then(|word| word.to_str()?.parse().ok()).filter(|count| *count > 0);
    count.ok_or_else(|| usage("--rounds: expected a whole number above 0"))
}

fn format(word: Option<OsString>) -> Result<Format> {
    match word.as_ref().and_then(|word| word.to_str()) {
        Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        _ => Err(usage("--format: expected `text` or `json`")),
    }
}

fn measure(session: &mut Session, rounds: usize, modules: usize) -> Result<Report> {
    session.settings.reject_beyond_in_process("a comparison with in-process")?;
    LinkFlags::of(&session.line).map_err(|refusal| link::only_in_process(link::Stop::Refused(refusal)))?;
    let directory = session.make_directory("compare")?;
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
    let read = |path: &Path| std::fs::read(path).map_err(|error| crate::failure::io("read", path, &error));
    let (theirs, ours) = (read(in_process)?, read(distributed)?);
    let bytes = [theirs.len() as u64, ours.len() as u64];
    let differences = match theirs == ours {
        true => None,
        false => {
            Some(object_diff::compare(&theirs, &ours, &NewSuffixes::new()).map_err(Failure::new)?.differences.len())
        }
    };
    Ok(Output { bytes, differences })
}
