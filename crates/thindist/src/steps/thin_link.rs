//! `thindist thin-link --list FILE -- <lld arguments>`: everything up to the backends, left as files.
//!
//! Beside each selected bitcode file `M`: `M.thinlto.bc`, its individual index with canonical names, and `M.thinlto.job`, all
//! else that its native object depends on. FILE has the objects of the final link, one a line, in in-process' order:
//! natives first, then the LTO objects. Members of regular archives are unpacked into `FILE.members`.

use super::{INDEX_SUFFIX, JOB_SUFFIX, NATIVE_SUFFIX, native_path, text, unknown, value};
use crate::failure::{Failure, Result, io};
use crate::link::{self, Planned, Session, Survey, ThinLink};
use crate::output;
use crate::settings::Settings;
use crate::stats::Timer;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::job_file::{JobFile, Places};
use thindist_exec::{Job, Source};

const USAGE: &str = "usage: thindist thin-link --list FILE [--suffix .thinlto-native.o] -- <lld arguments>";

/// The command's own options.
struct Options {
    /// Where the objects of the final link are listed.
    list: PathBuf,
    /// What takes the place of a module's `.o`.
    suffix: String,
    line: Vec<OsString>,
}

pub(crate) fn run(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let options = Options::read(words)?;
    let mut settings = Settings::load()?;
    let (session, survey) = link::open(&mut settings, options.line.clone())?;
    let outcome = write(&session, &survey, &options).map(|()| ExitCode::SUCCESS);
    session.finish(outcome)
}

impl Options {
    fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self> {
        let (mut list, mut suffix) = (None, NATIVE_SUFFIX.to_owned());
        while let Some(word) = words.next() {
            match word.to_str().unwrap_or_default() {
                "--" => break,
                "--list" => list = Some(PathBuf::from(value("--list", &mut words, USAGE)?)),
                "--suffix" => suffix = value("--suffix", &mut words, USAGE)?,
                other => return Err(unknown(other, USAGE)),
            }
        }
        if suffix.is_empty() || suffix.contains('/') || suffix == ".o" {
            return Err(Failure::new(format_args!("--suffix `{suffix}` would not tell objects apart")).hint(USAGE));
        }
        let list = list.ok_or_else(|| Failure::new("no --list").hint(USAGE))?;
        Ok(Self { list, suffix, line: words.collect() })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn write(session: &Session, survey: &Survey, options: &Options) -> Result<()> {
    let inputs = session.digest_inputs(survey)?;
    let (thin, planned) = link::plan(session, survey, &inputs, &mut Timer::start()).map_err(link::only_in_process)?;
    let mut objects = link::native_files(survey, &thin.trace).map_err(link::only_in_process)?;
    objects.extend(regular_part(&thin, &planned, options)?);
    let before = previous(options);
    let places = places(session, &planned, options)?;
    let mut natives = BTreeSet::new();
    for job in &planned.jobs {
        let bitcode = find(&places, &job.module)?;
        write_job(session, job, bitcode, &places)?;
        let native = native_path(&text(bitcode)?, &options.suffix);
        if !natives.insert(native.clone()) {
            return Err(Failure::new(format_args!(
                "two modules of the link would have the object {}",
                native.display()
            ))
            .hint("name each bitcode file once, and with a name of its own"));
        }
        objects.push(native);
    }
    before.difference(&natives).try_for_each(|native| forget(native, &options.suffix))?;
    let lines = objects.iter().map(|path| Ok(text(path)? + "\n")).collect::<Result<String>>()?;
    output::write_if_changed(&options.list, lines.as_bytes())?;
    Ok(())
}

/// The native objects of the thin link before this one.
fn previous(options: &Options) -> BTreeSet<PathBuf> {
    let list = std::fs::read_to_string(&options.list).unwrap_or_default();
    list.lines().filter(|line| line.ends_with(&options.suffix)).map(PathBuf::from).collect()
}

/// Removes what belonged to a module that is not linked any more: nobody would make it anew, and a later link that has a
/// file of this name again must not find it.
fn forget(native: &Path, suffix: &str) -> Result<()> {
    output::remove(native)?;
    let name = native.to_string_lossy();
    let stem = name.strip_suffix(suffix).unwrap_or(&name);
    for bitcode in [format!("{stem}.o"), stem.to_owned()] {
        for suffix in [INDEX_SUFFIX, JOB_SUFFIX] {
            output::remove(Path::new(&format!("{bitcode}{suffix}")))?;
        }
    }
    Ok(())
}

/// Regular LTO is done in the thin link; its object belongs in front of the others.
fn regular_part(thin: &ThinLink, planned: &Planned, options: &Options) -> Result<Option<PathBuf>> {
    if !planned.has_regular_part {
        return Ok(None);
    }
    let path = with_suffix(&options.list, ".regular.o");
    let bytes = std::fs::read(&thin.regular_object).map_err(|error| io("read", &thin.regular_object, &error))?;
    output::write_if_changed(&path, &bytes)?;
    Ok(Some(path))
}

/// The file of each module's bitcode, by where the plan has it: as the line names it, or its member unpacked.
fn places(session: &Session, planned: &Planned, options: &Options) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let own = session.path("");
    let place = |job: &Job| {
        let file = source_file(&job.module)?;
        let place = if file.starts_with(&own) { unpack(file, &job.name, options)? } else { relative(file) };
        Ok((file.to_owned(), place))
    };
    planned.jobs.iter().map(place).collect()
}

fn unpack(file: &Path, identifier: &str, options: &Options) -> Result<PathBuf> {
    let directory = with_suffix(&options.list, ".members");
    std::fs::create_dir_all(&directory).map_err(|error| io("create", &directory, &error))?;
    let path = directory.join(format!("{}.o", identifier.replace('/', "_")));
    let bytes = std::fs::read(file).map_err(|error| io("read", file, &error))?;
    output::write_if_changed(&path, &bytes)?;
    Ok(path)
}

fn find<'a>(places: &'a BTreeMap<PathBuf, PathBuf>, source: &Source) -> Result<&'a Path> {
    let file = source_file(source)?;
    let place = places.get(file).map(PathBuf::as_path);
    place.ok_or_else(|| Failure::new(format_args!("{} is no module of the plan; please report this", file.display())))
}

fn source_file(source: &Source) -> Result<&Path> {
    match source {
        Source::File { path, .. } => Ok(path),
        Source::Bytes(_) => Err(Failure::new("a module without a file; please report this")),
    }
}

/// As a build system names it: another checkout has the same job files.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// Where an extra input is, if that is not its path.
fn elsewhere(path: &str, source: &Source) -> Result<Option<String>> {
    let file = source_file(source)?;
    let named = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
    if named == file { Ok(None) } else { Ok(Some(text(&relative(file))?)) }
}

fn write_job(session: &Session, job: &Job, bitcode: &Path, places: &BTreeMap<PathBuf, PathBuf>) -> Result<()> {
    let index = with_suffix(bitcode, INDEX_SUFFIX);
    let Source::Bytes(bytes) = &job.index else {
        return Err(Failure::new(format_args!("{}: the plan has no index", job.name)));
    };
    output::write_if_changed(&index, bytes)?;
    let imports = job.imports.iter().map(|source| text(find(places, source)?)).collect::<Result<Vec<_>>>()?;
    let extra = job.action.extra_inputs.iter().zip(&job.extra_inputs);
    let extra = extra.map(|(extra, source)| elsewhere(&extra.path, source)).collect::<Result<Vec<_>>>()?;
    let places = Places {
        bitcode: &text(bitcode)?,
        index: &text(&index)?,
        imports: &imports,
        compiler: &text(&session.clang.path)?,
        extra_inputs: &extra,
    };
    let file = JobFile::new(&job.action, &places, env!("CARGO_PKG_VERSION")).to_text().map_err(Failure::new)?;
    output::write_if_changed(&with_suffix(bitcode, JOB_SUFFIX), file.as_bytes())?;
    Ok(())
}
