//! `thindist thin-link --list FILE -- <lld arguments>`: everything up to the backends, written as files.
//!
//! Beside each selected bitcode file `M`: `M.thinlto.bc`, its individual index with canonical names, and `M.thinlto.job`, all
//! else that its native object depends on. FILE has the objects of the final link, one a line, in in-process' order:
//! natives first, then the LTO objects; `FILE.final` has what `thindist final-link` needs beside them. Members of regular
//! archives and the bitcode of FatLTO objects are unpacked into `FILE.members`.

use super::places::{self, ModuleFiles, Places};
use super::{FINAL_SUFFIX, edges, text, with_suffix};
use crate::backends::jobs::PlannedJob;
use crate::backends::step_files::{INDEX_SUFFIX, JOB_SUFFIX};
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::finish::native_side;
use crate::inputs::loaded;
use crate::inputs::survey::Survey;
use crate::pipeline;
use crate::plan::planning::Planned;
use crate::session::output_files;
use crate::session::stats::{Stats, Timer};
use crate::session::way::Way;
use crate::session::workspace::{InputDigests, Session};
use crate::settings::Settings;
use crate::thin::thin_link::ThinLink;
use crate::ways::ahead::{self, Ahead};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::formats::build_graph;
use thindist_core::formats::final_file::{FinalFile, Input, Module, Told};
use thindist_core::formats::job_file::{self, JobFile};
use thindist_exec::{Job, Source};

/// The files of a thin link, beside those of its modules.
#[derive(Debug)]
pub struct ThinLinkFiles {
    /// Where the objects of the final link are listed.
    pub list: PathBuf,
    /// What takes the place of `.o` in the name of the bitcode, in the name of its object.
    pub suffix: String,
    /// For ninja: where it is written what each backend and the final link read.
    pub dyndep: Option<PathBuf>,
    /// Where the files are listed that only the thin link tells of: those that assembly names.
    pub depfile: Option<PathBuf>,
    /// The final link is ours, and not the build's own of what is listed.
    pub final_link: bool,
}

/// What a thin link has left.
pub(super) struct Left {
    /// Every file that it has read.
    pub(super) read: Vec<String>,
    /// The modules in lld's order.
    pub(super) modules: Vec<ModuleFiles>,
}

/// The thin link of the line `words`.
pub fn thin_link(environment: &Environment, words: Vec<OsString>, options: &ThinLinkFiles) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (session, survey) = super::open(&mut settings, words)?;
    let outcome = write(&session, &survey, options, Backends::Soon).map(|_| ExitCode::SUCCESS);
    session.finish(outcome)
}

/// When the backends of a plan run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backends {
    /// The build has them run next.
    Soon,
    /// Some day, or never.
    Later,
}

/// Everything up to the backends.
pub(super) fn write(session: &Session, survey: &Survey, options: &ThinLinkFiles, backends: Backends) -> Result<Left> {
    let mut timer = Timer::start();
    let inputs = session.digest_inputs(survey.files())?;
    let (thin, planned) = pipeline::plan(session, survey, &inputs, &mut timer).map_err(pipeline::only_in_process)?;
    if backends == Backends::Soon {
        // The steps compile what is not stored.
        harvest(session, survey, &inputs, (&thin, &planned), timer)
            .unwrap_or_else(|failure| failure.warn(session.workspace.report()));
    }
    let places = Places::of(survey, &options.list);
    if !options.final_link {
        check_order(survey, &thin, &planned)?;
    }
    let natives = loaded::files(survey, &thin.trace).map_err(pipeline::only_in_process)?;
    let mut objects = natives.iter().map(|native| places.provide(native)).collect::<Result<Vec<_>>>()?;
    let regular = regular_part(&thin, &planned, options)?;
    objects.extend(regular.clone());
    let modules = write_modules(session, &planned, &places, options)?;
    let of_before = previous(options);
    let of_now: BTreeSet<PathBuf> = modules.iter().map(|module| module.native.clone()).collect();
    of_before.difference(&of_now).try_for_each(|native| forget(native, &options.suffix))?;
    let told = told_of(&planned, &modules)?;
    write_final(
        session,
        survey,
        &inputs,
        options,
        Told {
            lld: session.lld.identity(&session.workspace.state)?,
            trace: thin.trace,
            bitcode: planned.bitcode,
            regular_object: regular.as_deref().map(text).transpose()?,
            modules: told,
            inputs: Vec::new(),
        },
    )?;
    let read: BTreeSet<&PathBuf> = inputs.keys().chain(&planned.named_files).collect();
    let left = Left { read: read.into_iter().map(|path| text(path)).collect::<Result<_>>()?, modules };
    write_for_ninja(session, options, &places, &planned.named_files, &left)?;
    // Last: who depends on it finds everything else in its place.
    write_list(&options.list, objects.iter().chain(left.modules.iter().map(|module| &module.native)))?;
    Ok(left)
}

/// What is done for all steps at once.
fn harvest(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    plan: (&ThinLink, &Planned),
    mut timer: Timer,
) -> Result<()> {
    let Ahead { executed, nothing } = ahead::harvest(session, survey, inputs, plan)?;
    timer.phase("backends");
    if executed == 0 {
        return Ok(());
    }
    let mut stats = Stats::of(session.line.output());
    stats.way = Some(Way::InProcess.name());
    stats.why = nothing.map_or_else(
        || "next to nothing of the plan was in the stores".to_owned(),
        |why| format!("nothing was harvested: {why}"),
    );
    stats.modules = plan.1.len();
    stats.backends.executed = executed;
    session.workspace.record(stats, &timer);
    Ok(())
}

fn write_list<'a>(list: &Path, objects: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
    let lines = objects.map(|path| Ok(text(path)? + "\n")).collect::<Result<String>>()?;
    output_files::write_if_changed(list, lines.as_bytes()).map(drop)
}

/// A build's own link has all natives in front of all LTO objects.
fn check_order(survey: &Survey, thin: &ThinLink, planned: &Planned) -> Result<()> {
    let remedy = "link with `thindist final-link`, and say so to the thin link: `thindist thin-link --final-link`";
    native_side::check_order(survey, &thin.trace, &planned.bitcode).map_err(|stop| stop.into_failure(Some(remedy)))
}

fn told_of(planned: &Planned, modules: &[ModuleFiles]) -> Result<Vec<Module>> {
    let named = planned.jobs.iter().zip(modules);
    named
        .map(|(planned, files)| Ok(Module { identifier: planned.job.name.clone(), native: text(&files.native)? }))
        .collect()
}

/// What ninja wants to hear of a thin link.
fn write_for_ninja(
    session: &Session,
    options: &ThinLinkFiles,
    places: &Places,
    named: &[PathBuf],
    left: &Left,
) -> Result<()> {
    if let Some(depfile) = &options.depfile {
        let named = named.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
        let text = build_graph::depfile(&text(&options.list)?, &named);
        output_files::write_if_changed(depfile, text.as_bytes())?;
    }
    let Some(dyndep) = &options.dyndep else { return Ok(()) };
    let edges = edges::edges(places, &left.modules, &options.suffix, session.line.output())?;
    let text = build_graph::dyndep(&edges).map_err(Failure::of)?;
    output_files::write_if_changed(dyndep, text.as_bytes())?;
    Ok(())
}

/// Index and job of each module, and what its object will be called.
fn write_modules(
    session: &Session,
    planned: &Planned,
    places: &Places,
    options: &ThinLinkFiles,
) -> Result<Vec<ModuleFiles>> {
    let own = session.workspace.path("");
    let mut bitcode: BTreeMap<&Path, &Path> = BTreeMap::new();
    for PlannedJob { job, .. } in &planned.jobs {
        let (file, place) = (source_file(&job.module)?, places.module(&job.name)?);
        if file.starts_with(&own) {
            places::unpack(place, &std::fs::read(file).map_err(|error| io("read", file, &error))?)?;
        }
        bitcode.insert(file, place);
    }
    let mut natives = BTreeSet::new();
    let mut modules = Vec::with_capacity(planned.len());
    for PlannedJob { job, .. } in &planned.jobs {
        let mut files = ModuleFiles::of(find(&bitcode, &job.module)?, &options.suffix)?;
        files.imports = job.imports.iter().map(|source| text(find(&bitcode, source)?)).collect::<Result<Vec<_>>>()?;
        write_job(session, job, &files)?;
        if !natives.insert(files.native.clone()) {
            let native = files.native.display();
            return Err(Failure::new(format_args!("two modules of the link would have the object {native}"))
                .hint("name each bitcode file once, and with a name of its own"));
        }
        modules.push(files);
    }
    Ok(modules)
}

/// What the final link needs, beside the list.
fn write_final(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    options: &ThinLinkFiles,
    mut told: Told,
) -> Result<()> {
    let bitcode: BTreeSet<PathBuf> = survey.bitcode_files().collect();
    for (path, (content, _)) in inputs.iter().filter(|(path, _)| !bitcode.contains(*path)) {
        told.inputs.push(Input { path: text(path)?, content: *content });
    }
    let file = FinalFile::new(session.line.words(), env!("CARGO_PKG_VERSION"), told);
    let text = file.to_text().map_err(Failure::of)?;
    output_files::write_if_changed(&with_suffix(&options.list, FINAL_SUFFIX), text.as_bytes())?;
    Ok(())
}

/// The native objects of the thin link before this one.
fn previous(options: &ThinLinkFiles) -> BTreeSet<PathBuf> {
    let list = std::fs::read_to_string(&options.list).unwrap_or_default();
    list.lines().filter(|line| line.ends_with(&options.suffix)).map(PathBuf::from).collect()
}

/// Removes what belonged to a module that is not linked any more: nobody would make it anew, and a later link that has a
/// file of this name again must not find it.
fn forget(native: &Path, suffix: &str) -> Result<()> {
    output_files::remove(native)?;
    let name = native.to_string_lossy();
    let stem = name.strip_suffix(suffix).unwrap_or(&name);
    for bitcode in [format!("{stem}.o"), stem.to_owned()] {
        for suffix in [INDEX_SUFFIX, JOB_SUFFIX] {
            output_files::remove(Path::new(&format!("{bitcode}{suffix}")))?;
        }
    }
    Ok(())
}

/// Regular LTO is done in the thin link; its object belongs in front of the others.
fn regular_part(thin: &ThinLink, planned: &Planned, options: &ThinLinkFiles) -> Result<Option<PathBuf>> {
    if !planned.has_regular_part {
        return Ok(None);
    }
    let path = with_suffix(&options.list, ".regular.o");
    let bytes = std::fs::read(&thin.regular_object).map_err(|error| io("read", &thin.regular_object, &error))?;
    output_files::write_if_changed(&path, &bytes)?;
    Ok(Some(path))
}

fn find<'a>(places: &BTreeMap<&Path, &'a Path>, source: &Source) -> Result<&'a Path> {
    let file = source_file(source)?;
    let place = places.get(file).copied();
    place.ok_or_else(|| Failure::internal(format_args!("{} is not a module of the plan", file.display())))
}

fn source_file(source: &Source) -> Result<&Path> {
    match source {
        Source::File { path, .. } => Ok(path),
        Source::Bytes(_) => Err(Failure::internal("a module without a file")),
    }
}

/// Where an extra input is, if that is not its path.
fn elsewhere(path: &str, source: &Source) -> Result<Option<String>> {
    let file = source_file(source)?;
    let named = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
    if named == file { Ok(None) } else { Ok(Some(text(&places::relative(file))?)) }
}

fn write_job(session: &Session, job: &Job, files: &ModuleFiles) -> Result<()> {
    let Source::Bytes(bytes) = &job.index else {
        return Err(Failure::new(format_args!("{}: the plan has no index", job.name)));
    };
    output_files::write_if_changed(&files.index, bytes)?;
    let extra = job.action.extra_inputs.iter().zip(&job.extra_inputs);
    let extra = extra.map(|(extra, source)| elsewhere(&extra.path, source)).collect::<Result<Vec<_>>>()?;
    let places = job_file::Places {
        bitcode: &text(&files.bitcode)?,
        index: &text(&files.index)?,
        imports: &files.imports,
        compiler: &text(&session.clang.path)?,
        extra_inputs: &extra,
    };
    let file = JobFile::new(&job.action, &places, env!("CARGO_PKG_VERSION")).to_text().map_err(Failure::of)?;
    output_files::write_if_changed(&files.job, file.as_bytes())?;
    Ok(())
}
