//! `thindist verify -- <lld arguments>`: does the link both ways and compares object by object and section by section.

use crate::line::Line;
use crate::object_diff::{self, Difference, NewSuffixes};
use crate::ui::say;
use clap::{Args, ValueHint};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_engine::both_ways::{self, BothWays, Pair};
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result, io};

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
    both_ways::link(environment, line.words, compare).map_err(could_not_run)
}

/// `thindist diff A B`: two outputs that are there already.
pub(crate) fn diff(files: &Files) -> Result<ExitCode> {
    let mut report = Report::default();
    let both = read(&files.left).and_then(|left| Ok((left, read(&files.right)?)));
    both.and_then(|(left, right)| report.output(&left, &right)).map_err(could_not_run)?;
    Ok(report.finish(None))
}

fn could_not_run(failure: Failure) -> Failure {
    failure.no_answer()
}

fn compare(both: &BothWays) -> Result<ExitCode> {
    let mut report = Report { renamed: both.new_suffixes.clone(), ..Report::default() };
    for Pair { name, in_process, distributed } in &both.objects {
        report.object(name, &read(in_process)?, &read(distributed)?);
    }
    report.output(&read(&both.output.in_process)?, &read(&both.output.distributed)?)?;
    Ok(report.finish(Some(&both.options)))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| io("read", path, &error))
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

    fn finish(&self, options: Option<&str>) -> ExitCode {
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
        if let Some(options) = options {
            say!("LTO options of this link: {options}");
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
