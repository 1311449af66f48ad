//! `thindist what-changed [--format text|json] OLD NEW`: which functions of native objects differ, and why.
//!
//! OLD and NEW are two objects, or two directories of them: kept by THINDIST_KEEP_NATIVE, or the outputs of steps. For tools that
//! make live patches: a function that only got another name needs no patch, and one that changed because of an import was
//! edited nowhere in its own file. As `diff`: exit code 0 for the same, 1 for different, 2 for trouble.

mod compare;
mod image;
mod report;
mod why;

use crate::ui::usage;
use clap::{Args, ValueHint};
use compare::{Difference, Status};
use report::{Format, Line, Report};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_engine::failure::{Failure, Result, io};

/// `thindist what-changed`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How the differences are written: docs/what-changed.md has both
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What objects have in place of the bitcode's `.o`, beside which their jobs are
    #[arg(long, default_value = thindist_engine::steps::NATIVE_SUFFIX, allow_hyphen_values = true)]
    suffix: String,
    /// A native object, or a directory of them
    #[arg(value_hint = ValueHint::AnyPath)]
    old: PathBuf,
    /// Another one
    #[arg(value_hint = ValueHint::AnyPath)]
    new: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let report = compare(options).and_then(|report| {
        report.print(options.format)?;
        Ok(report)
    });
    let report = report.map_err(|failure| failure.no_answer())?;
    Ok(if report.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare(options: &Options) -> Result<Report> {
    let mut report = Report::default();
    let (old, new) = (options.old.as_path(), options.new.as_path());
    match (is_directory(old)?, is_directory(new)?) {
        (false, false) => compare_objects(options, "", Some(old), Some(new), &mut report)?,
        (true, true) => {
            let (before, after) = (objects(old)?, objects(new)?);
            if before.is_empty() && after.is_empty() {
                return Err(Failure::new(format_args!(
                    "no native objects below {} and {}",
                    old.display(),
                    new.display()
                ))
                .hint("keep them with THINDIST_KEEP_NATIVE=DIR, or copy the outputs of steps"));
            }
            for name in before.union(&after) {
                let side = |root: &Path, names: &BTreeSet<String>| names.contains(name).then(|| root.join(name));
                compare_objects(
                    options,
                    name,
                    side(old, &before).as_deref(),
                    side(new, &after).as_deref(),
                    &mut report,
                )?;
            }
        }
        _ => {
            let what = format!("{} and {}: one is a directory and the other is not", old.display(), new.display());
            return Err(Failure::new(what).hint(usage::<Options>("what-changed")));
        }
    }
    Ok(report)
}

fn is_directory(path: &Path) -> Result<bool> {
    path.metadata().map(|metadata| metadata.is_dir()).map_err(|error| io("open", path, &error))
}

/// The objects below a directory, by their names from there.
fn objects(root: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(&directory).map_err(|error| io("read", &directory, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| io("read", &directory, &error))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| io("open", entry.path(), &error))?);
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "o") && is_native(&path)?
            {
                let name = path.strip_prefix(root).unwrap_or(&path);
                found.insert(name.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

fn is_native(path: &Path) -> Result<bool> {
    let file = std::fs::File::open(path).map_err(|error| io("open", path, &error))?;
    let kind = thindist_engine::kind::read_kind(&file).map_err(|error| io("read", path, &error))?;
    Ok(kind == thindist_core::object::file_kind::FileKind::ElfRelocatable)
}

fn compare_objects(
    options: &Options,
    name: &str,
    old: Option<&Path>,
    new: Option<&Path>,
    report: &mut Report,
) -> Result<()> {
    let read = |path: Option<&Path>| {
        path.map_or_else(|| Ok(Vec::new()), |path| std::fs::read(path).map_err(|error| io("read", path, &error)))
    };
    let (before, after) = (read(old)?, read(new)?);
    report.objects += 1;
    if before == after {
        return Ok(());
    }
    let (before, after) = (definitions(old, &before)?, definitions(new, &after)?);
    report.definitions += after.len();
    let differences = compare::compare(&before, &after);
    if differences.is_empty() {
        return Ok(());
    }
    let causes = match (old, new) {
        (Some(old), Some(new)) => why::causes(old, new, &options.suffix)?,
        (None, _) => vec!["new object".to_owned()],
        (_, None) => vec!["object removed".to_owned()],
    };
    let line = |difference: Difference| {
        let is_renamed = difference.status == Status::Renamed;
        let causes = if is_renamed { vec!["name".to_owned()] } else { causes.clone() };
        Line { object: name.to_owned(), difference, causes }
    };
    report.lines.extend(differences.into_iter().map(line));
    Ok(())
}

fn definitions(path: Option<&Path>, bytes: &[u8]) -> Result<Vec<image::Definition>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    image::definitions(bytes).map_err(|error| {
        Failure::new(format_args!("{}: {error}", path.display()))
            .hint("expected a native object of 64 bits, or a directory of such")
    })
}
