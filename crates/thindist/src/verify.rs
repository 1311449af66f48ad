//! `thindist verify -- <lld arguments>`: does the link both ways and compares object by object and section by section.
//!
//! Neither way touches the output that the line names. The memo of whole links is left out: it would show an old
//! output where the objects are the question.

use crate::line::Line;
use crate::object_diff::{self, Difference, NewSuffixes};
use crate::ui::say;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::private_line::{file_name, plain_words, to, with_output};
use thindist_engine::settings::Settings;
use thindist_engine::stats::{Stats, Timer};
use thindist_engine::survey::Survey;
use thindist_engine::workspace::Session;
use thindist_engine::{lld_run, pipeline};

/// Differences beyond this many are only counted.
const SHOWN: usize = 20;

/// `thindist diff`.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// An ELF file
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    left: PathBuf,
    /// Another one
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    right: PathBuf,
}

pub(crate) fn run(environment: &Environment, line: Line) -> Result<ExitCode> {
    let mut settings = Settings::load(environment).map_err(could_not_run)?;
    let (session, survey) = prepare(&mut settings, line.words).map_err(could_not_run)?;
    let outcome = compare(&session, &survey).map_err(could_not_run);
    session.finish(outcome)
}

/// `thindist diff A B`: two outputs that are there already.
pub(crate) fn diff(files: &Files) -> Result<ExitCode> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| could_not_run(io("read", path, &error)));
    let mut report = Report::default();
    report.output(&read(&files.left)?, &read(&files.right)?).map_err(could_not_run)?;
    Ok(report.finish(None))
}

fn could_not_run(failure: Failure) -> Failure {
    failure.no_answer()
}

fn prepare(settings: &mut Settings, words: Vec<OsString>) -> Result<(Session, Survey)> {
    let (mut session, survey) = thindist_engine::open(settings, words)?;
    if session.workspace.settings.has_flags_per_module()? {
        return Err(Failure::new("with each file's own flags objects are not those of in-process: nothing to compare")
            .hint("leave THINDIST_BACKEND_FLAGS=per-module out to compare the rest"));
    }
    if !survey.has_bitcode() {
        return Err(Failure::new("no bitcode among the inputs: nothing to compare"));
    }
    let output = session.workspace.make_directory("verify")?.join(file_name(session.line.output()));
    session.line = with_output(&session.line, &output)?;
    Ok((session, survey))
}

fn compare(session: &Session, survey: &Survey) -> Result<ExitCode> {
    let (mut stats, mut timer) = (Stats::of(session.line.output()), Timer::start());
    let distributed =
        pipeline::distribute(session, survey, &mut stats, &mut timer).map_err(pipeline::only_in_process)?;
    let in_process = InProcess::link(session)?;
    let mut report = Report { renamed: distributed.new_suffixes, ..Report::default() };
    for (number, (name, path)) in distributed.natives.iter().enumerate() {
        let ours = std::fs::read(path).map_err(|error| io("read", path, &error))?;
        report.object(name, &in_process.object(number + 1)?, &ours);
    }
    if let Some(regular) = &distributed.regular_object {
        let ours = std::fs::read(regular).map_err(|error| io("read", regular, &error))?;
        report.object("the regular-LTO part", &in_process.object(0)?, &ours);
    }
    let output = distributed.output.ok_or_else(|| Failure::new("the output is not a regular file"))?;
    let ours = std::fs::read(&output).map_err(|error| io("read", &output, &error))?;
    report.output(&in_process.output()?, &ours)?;
    Ok(report.finish(Some(session)))
}

/// The in-process link's files.
struct InProcess {
    objects: String,
    output: PathBuf,
}

impl InProcess {
    /// Two links. The first gives the objects, but also an empty regular-LTO object that a link without
    /// `--lto-obj-path` does not have, and whose sections move those of the output. The second gives the output. (With
    /// lld's cache in between, which would save the second compilation, `--lto-obj-path` writes empty files.) The first may
    /// fail over that empty object, which has no floating-point ABI where the others have one (riscv64).
    fn link(session: &Session) -> Result<Self> {
        let directory = session.workspace.make_directory("in-process")?;
        let output = if session.line.output_holds_its_path() {
            PathBuf::from(session.line.output())
        } else {
            directory.join(file_name(session.line.output()))
        };
        let objects = session.workspace.text_path("in-process/object")?;
        let words = plain_words(&session.line);
        let with_objects = [words.clone(), vec![format!("--lto-obj-path={objects}")], to(&directory.join("none"))];
        lld_run::lld(session, "in-process.rsp", &with_objects.concat())?;
        run_lld(session, &[words, to(&output)].concat())?;
        Ok(Self { objects, output })
    }

    /// Number 0 is regular LTO's; the modules follow in the thin link's order.
    fn object(&self, number: usize) -> Result<Vec<u8>> {
        let path = if number == 0 { self.objects.clone() } else { format!("{}{number}", self.objects) };
        std::fs::read(&path).map_err(|error| io("read", &path, &error))
    }

    fn output(&self) -> Result<Vec<u8>> {
        std::fs::read(&self.output).map_err(|error| io("read", &self.output, &error))
    }
}

fn run_lld(session: &Session, words: &[String]) -> Result<()> {
    let run = lld_run::lld(session, "in-process.rsp", words)?;
    if run.success() {
        return Ok(());
    }
    lld_run::print(session.workspace.report(), &lld_run::lines(&run.stderr));
    Err(run.failure(&session.lld.path))
}

#[derive(Default)]
struct Report {
    objects: usize,
    different: usize,
    sections: usize,
    symbols: usize,
    /// What suffixes of promoted names in-process are here.
    renamed: NewSuffixes,
    /// Objects that are equal when these are taken for each other.
    equal_but_for_names: usize,
    /// Every byte of the output, the order of symbols among them.
    whole_output: bool,
    lines: Vec<String>,
}

impl Report {
    fn object(&mut self, name: &str, in_process: &[u8], ours: &[u8]) {
        self.objects += 1;
        if in_process == ours {
            return;
        }
        let comparison = object_diff::compare(in_process, ours, &self.renamed);
        if !self.renamed.is_empty() && comparison.as_ref().is_ok_and(|comparison| comparison.differences.is_empty()) {
            self.equal_but_for_names += 1;
            return;
        }
        self.different += 1;
        let differences = match comparison {
            Ok(comparison) if comparison.differences.is_empty() => {
                vec![Difference { section: ".symtab".to_owned(), what: "the order of symbols".to_owned() }]
            }
            Ok(comparison) => comparison.differences,
            Err(error) => vec![Difference { section: "(file)".to_owned(), what: error.to_string() }],
        };
        let first =
            differences.first().map(|first| format!("{}: {}{}", first.section, first.what, likely(&first.section)));
        self.lines.push(format!("{name}: {}", first.unwrap_or_default()));
    }

    fn output(&mut self, in_process: &[u8], ours: &[u8]) -> Result<()> {
        let comparison = object_diff::compare(in_process, ours, &self.renamed).map_err(Failure::of)?;
        self.whole_output = in_process == ours;
        self.sections = comparison.sections;
        self.symbols = comparison.symbols;
        self.different += comparison.differences.len();
        self.lines.extend(
            comparison
                .differences
                .iter()
                .map(|difference| format!("output {}: {}", difference.section, difference.what)),
        );
        Ok(())
    }

    fn finish(&self, session: Option<&Session>) -> ExitCode {
        if self.different == 0 {
            let names = match self.equal_but_for_names {
                0 => String::new(),
                count => format!(", {count} of them but for the suffixes of promoted names, which are stable here"),
            };
            let how = if self.whole_output { "the whole output" } else { "the order of symbols aside" };
            say!(
                "identical: {} native objects byte for byte{names}; {} output sections and {} symbols, {how}",
                self.objects,
                self.sections,
                self.symbols
            );
            return ExitCode::SUCCESS;
        }
        self.lines.iter().take(SHOWN).for_each(|line| say!("different: {line}"));
        if self.lines.len() > SHOWN {
            say!("... and {} more", self.lines.len() - SHOWN);
        }
        say!("{} differences in {} native objects and {} output sections", self.different, self.objects, self.sections);
        if let Some(session) = session {
            let carried =
                thindist_core::flags::backend_flags::LinkFlags::of(&session.line).map(|flags| flags.summary());
            say!("LTO options of this link: {}", carried.unwrap_or_default());
        }
        ExitCode::FAILURE
    }
}

/// The option that most often makes a section differ.
fn likely(section: &str) -> &'static str {
    match section {
        ".llvm_addrsig" => " (likely -faddrsig)",
        ".symtab" => " (likely the order of module identifiers, or promoted names)",
        name if name.starts_with(".rela") => " (likely the relocation or code model, or relaxed relocations)",
        name if name.starts_with(".text") => " (likely --lto-O, a CPU or feature default, or an -mllvm option)",
        name if name.starts_with(".debug") => " (likely a debug-information default)",
        _ => "",
    }
}
