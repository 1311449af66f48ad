//! `thindist backend [-o FILE] JOB…`: native objects from job files, from the stores or compiled.
//!
//! A job file says what its thin link saw of other modules. If these are not so any more, the build system has run the
//! steps in a wrong order, and an object made now would be of neither state: that is an error.

use crate::backends::batch;
use crate::backends::execution::Batch;
use crate::backends::jobs::{ImportName, PlannedJob};
use crate::backends::step_files::{JOB_SUFFIX, native_path};
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::inputs::imported;
use crate::session::output_files;
use crate::session::stats::{Stats, Timer};
use crate::session::tools::{self, Tool};
use crate::session::workspace::Workspace;
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use thindist_core::action_files::import_name;
use thindist_core::bitcode;
use thindist_core::digest::Digest;
use thindist_core::formats::job_file::{Import, JobFile, Taken};
use thindist_core::import_facts::{ImportFacts, Met};
use thindist_core::index;
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::lld::link_line::Warnings;
use thindist_exec::{FileStamp, Job, Source};

const AGAIN: &str = "run `thindist thin-link` again";

/// Native objects that are to be made.
#[derive(Debug)]
pub struct NativeObjects {
    /// Where the object goes, if there is one job.
    pub output: Option<PathBuf>,
    /// What takes the place of `.o` in the name of the bitcode, in the name of its object.
    pub suffix: String,
    /// An object that is the same is left, and its time.
    pub if_changed: bool,
    /// Job files of a thin link.
    pub jobs: Vec<PathBuf>,
}

/// A job file that has been read, and its action.
struct Read {
    job: PlannedJob,
    file: JobFile,
}

/// Makes them.
pub fn backends(environment: &Environment, options: &NativeObjects) -> Result<ExitCode> {
    let workspace = Workspace::open(Settings::load(environment)?)?;
    let outcome = build(&workspace, options).map(|()| ExitCode::SUCCESS);
    workspace.finish(outcome)
}

impl NativeObjects {
    /// `x.o.thinlto.job` is of `x.thinlto-native.o`.
    fn output(&self, job: &Path) -> Result<PathBuf> {
        if let Some(output) = &self.output {
            return Ok(output.clone());
        }
        let name = job.to_string_lossy();
        let bitcode = name.strip_suffix(JOB_SUFFIX).ok_or_else(|| {
            Failure::new(format_args!("{} does not end in {JOB_SUFFIX}", job.display())).hint("name its object with -o")
        })?;
        Ok(native_path(bitcode, &self.suffix))
    }
}

fn build(workspace: &Workspace, options: &NativeObjects) -> Result<()> {
    let mut timer = Timer::start();
    let reads = options.jobs.iter().map(|path| read(workspace, path)).collect::<Result<Vec<_>>>()?;
    let outputs = options.jobs.iter().map(|path| options.output(path)).collect::<Result<Vec<_>>>()?;
    let compiler = compiler(workspace, &reads, &options.jobs)?;
    timer.phase("plan");
    let jobs: Vec<PlannedJob> = reads.into_iter().map(|read| read.job).collect();
    let batch =
        Batch { workspace, compiler: &compiler, max_jobs: None, warnings: Warnings::Shown, jobs: &jobs, line: None };
    let mut stats = Stats::of(&outputs.first().map_or_else(String::new, |output| output.display().to_string()));
    stats.modules = jobs.len();
    let made = batch::build(&batch, &mut stats.backends)?;
    for (made, output) in made.iter().zip(&outputs) {
        output_files::install(workspace, &made.native, output, options.if_changed)?;
    }
    timer.phase("backends");
    workspace.record(stats, &timer);
    Ok(())
}

fn read(workspace: &Workspace, path: &Path) -> Result<Read> {
    let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    let file = JobFile::parse(&bytes, env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(format_args!("{}: {error}", path.display())).hint(AGAIN))?;
    let (module, own) = source(workspace, &file.bitcode)?;
    let index = std::fs::read(&file.index).map_err(|error| io("read", &file.index, &error))?;
    let imported = file.imports.iter().map(|import| source(workspace, &import.bitcode)).collect::<Result<Vec<_>>>()?;
    check_imports(workspace, path, &file, &index, &imported)?;
    let (digests, imports): (Vec<Digest>, Vec<Source>) = imported.into_iter().unzip();
    let mut extra_inputs = Vec::with_capacity(file.extra_inputs.len());
    for extra in &file.extra_inputs {
        let file = extra.file.as_ref().unwrap_or(&extra.path);
        let (digest, source) = source(workspace, file)?;
        expect(digest == extra.content, path, file)?;
        extra_inputs.push(source);
    }
    let action = file.action(module, Digest::of(&index), &digests);
    let index = Source::Bytes(Arc::from(index));
    let name = |import: &Import| ImportName { identifier: import.bitcode.clone(), path: import.bitcode.clone() };
    let job = PlannedJob {
        path: file.bitcode.clone(),
        number: None,
        imports: file.imports.iter().map(name).collect(),
        job: Job { action, name: file.bitcode.clone(), module: own, index, imports, extra_inputs },
    };
    Ok(Read { job, file })
}

fn source(workspace: &Workspace, path: &str) -> Result<(Digest, Source)> {
    let (digest, stamp): (Digest, FileStamp) = workspace.state.digest_file(Path::new(path))?;
    let path = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
    Ok((digest, Source::File { path, stamp: Some(stamp) }))
}

/// What is imported has to be what the thin link saw.
fn check_imports(
    workspace: &Workspace,
    path: &Path,
    file: &JobFile,
    index: &[u8],
    imported: &[(Digest, Source)],
) -> Result<()> {
    let damaged = |error| Failure::new(format_args!("{}: {error}", file.index)).hint(AGAIN);
    let modules = index::read(index).map_err(damaged)?.modules;
    let wanted: Vec<_> = imported.iter().enumerate().map(|(rank, (digest, source))| (rank, *digest, source)).collect();
    let facts = imported::facts(&workspace.state, &wanted)?;
    let definitions = |rank: usize| {
        let name = import_name(rank);
        modules.iter().find(|module| module.identifier == name)?.definitions.as_ref()
    };
    let met = Met::of(&variables(file)?, (0..imported.len()).map(|rank| (facts.get(&rank), definitions(rank))));
    for (rank, (import, (digest, _))) in file.imports.iter().zip(imported).enumerate() {
        let taken = match &import.taken {
            Taken::Whole(whole) | Taken::PartWithDebug { whole, .. } => whole == digest,
            Taken::Part(part) => {
                // Whether a description suffices depends on the names, and the thin link has decided it; what it says does not.
                let part_of =
                    |(definitions, facts): (_, &ImportFacts)| facts.imported(definitions, PromotedNames::Stable, &met);
                definitions(rank).zip(facts.get(&rank)).and_then(part_of).is_some_and(|now| now.digest == *part)
            }
        };
        expect(taken, path, &import.bitcode)?;
    }
    Ok(())
}

/// Those that the module of a job has, if anything depends on that.
fn variables(file: &JobFile) -> Result<BTreeSet<u64>> {
    if !file.imports.iter().any(|import| matches!(import.taken, Taken::Part(_))) {
        return Ok(BTreeSet::new());
    }
    let bytes = std::fs::read(&file.bitcode).map_err(|error| io("read", &file.bitcode, &error))?;
    let facts = bitcode::read_module(&bytes);
    Ok(facts.map_err(|error| Failure::new(format_args!("{}: {error}", file.bitcode)).hint(AGAIN))?.variables)
}

fn expect(is_so: bool, job: &Path, input: &str) -> Result<()> {
    if is_so {
        return Ok(());
    }
    Err(Failure::new(format_args!(
        "{input} is not what {} was made for: it has changed since the thin link",
        job.display()
    ))
    .hint(AGAIN))
}

/// The one compiler of all jobs, as it was at the thin link.
fn compiler(workspace: &Workspace, reads: &[Read], paths: &[PathBuf]) -> Result<PathBuf> {
    let mut compiler: Option<Tool> = None;
    for (read, path) in reads.iter().zip(paths) {
        let wanted = &read.file.compiler;
        let known = compiler.take().filter(|tool| tool.path == Path::new(&wanted.path));
        let tool = known.map_or_else(
            || tools::compiler(Path::new(&wanted.path), workspace.settings.environment(), &workspace.state),
            Ok,
        )?;
        if tool.identity(&workspace.state)? != wanted.identity {
            return Err(Failure::new(format_args!(
                "{} is another compiler than {} was made for",
                wanted.path,
                path.display()
            ))
            .hint(AGAIN));
        }
        compiler = Some(tool);
    }
    compiler.map(|tool| tool.path).ok_or_else(|| Failure::internal("no job file"))
}
