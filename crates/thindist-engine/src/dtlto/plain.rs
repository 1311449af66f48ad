//! Backends by the plain command: the compiler on lld's own files in lld's own directory, nothing canonical, nothing
//! stored. It compiles what actions cannot express, and `--thindist-verify` compares with it.

use super::modules::Modules;
use crate::failure::{Failure, Result, io};
use crate::parallel;
use crate::plan::planning::PlannedJobs;
use crate::session::lld_run;
use crate::session::tools::Tool;
use crate::session::workspace::Workspace;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use thindist_core::action_files::{INDEX_NAME, LinkFile, MODULE_NAME, NATIVE_OBJECT_NAME, OPTIMISED_NAME, THEN};
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::dtlto::{DtltoJob, DtltoJobs};
use thindist_exec::process::{Invocation, Status, run};

/// The commands of one job file.
#[derive(Debug)]
pub(crate) struct Plain<'a> {
    pub(crate) compiler: &'a Tool,
    pub(crate) flags: &'a LinkFlags,
    pub(crate) jobs: &'a DtltoJobs,
    pub(crate) modules: &'a Modules,
}

/// Files of one job.
struct Files<'a> {
    index: &'a Path,
    /// Between two runs.
    optimised: &'a Path,
    output: &'a Path,
}

impl Plain<'_> {
    /// Compiles every job into its place.
    pub(crate) fn compile_all(&self, workspace: &Workspace) -> Result<()> {
        let numbered: Vec<(usize, &DtltoJob)> = self.jobs.jobs.iter().enumerate().collect();
        parallel::map(&numbered, |(number, job)| self.compile(workspace, *number, job, Path::new(&job.output)))
            .map(drop)
    }

    /// Compiles every job once more and compares.
    pub(crate) fn verify(&self, workspace: &Workspace, planned: &PlannedJobs) -> Result<()> {
        let names = planned.jobs.iter().map(|planned| planned.job.name.as_str());
        let numbered: Vec<(usize, (&DtltoJob, &str))> = self.jobs.jobs.iter().zip(names).enumerate().collect();
        workspace.make_directory("verify")?;
        parallel::map(&numbered, |(number, (job, name))| self.verify_one(workspace, *number, job, name)).map(drop)
    }

    fn verify_one(&self, workspace: &Workspace, number: usize, job: &DtltoJob, name: &str) -> Result<()> {
        let plain = workspace.path(format!("verify/{number}.o"));
        self.compile(workspace, number, job, &plain)?;
        let read = |path: &Path| std::fs::read(path).map_err(|error| io("read", path, &error));
        if read(&plain)? == read(Path::new(&job.output))? {
            return std::fs::remove_file(&plain).map_err(|error| io("remove", &plain, &error));
        }
        Err(Failure::new(format_args!(
            "--thindist-verify: the native object of {name} is not the one that {} makes by the plain command",
            self.compiler.path.display()
        ))
        .hint("`thindist cache verify` tells whether the stores are damaged; if they are not, please report this"))
    }

    fn compile(&self, workspace: &Workspace, number: usize, job: &DtltoJob, output: &Path) -> Result<()> {
        let index = self.modules.plain_index(job, &workspace.path(format!("plain/{number}")))?;
        let optimised = workspace.make_directory("plain")?.join(format!("{number}.bc"));
        let arguments = self.arguments(job, &Files { index: &index, optimised: &optimised, output })?;
        arguments.split(|word| word == THEN).try_for_each(|words| self.run(workspace, job, words))
    }

    fn run(&self, workspace: &Workspace, job: &DtltoJob, words: &[OsString]) -> Result<()> {
        let invocation = Invocation {
            program: self.compiler.path.clone(),
            arguments: words.to_vec(),
            environment: workspace.settings.environment().variables().to_vec(),
            directory: None,
        };
        let finished = run(&invocation, None, workspace.interrupt.token()).map_err(Failure::of)?;
        lld_run::print(workspace.report(), &lld_run::lines(&finished.stderr));
        if finished.status == Status::Exited(0) {
            return Ok(());
        }
        Err(Failure::new(format_args!(
            "the backend of {} failed: {} {}",
            job.bitcode,
            self.compiler.path.display(),
            finished.status
        )))
    }

    /// The action's arguments with lld's files for its names, and what the user has the compiler told.
    fn arguments(&self, job: &DtltoJob, files: &Files<'_>) -> Result<Vec<OsString>> {
        let facts = &self.modules.module(&job.bitcode)?.facts;
        let index_option = format!("-fthinlto-index={INDEX_NAME}");
        let own = |word: String| match word.as_str() {
            MODULE_NAME => OsString::from(&job.bitcode),
            NATIVE_OBJECT_NAME => files.output.as_os_str().to_owned(),
            OPTIMISED_NAME => files.optimised.as_os_str().to_owned(),
            word if word == index_option => joined("-fthinlto-index=", files.index),
            _ => OsString::from(self.file_of(&word).unwrap_or(word)),
        };
        let extra = &self.jobs.extra;
        let row = self.compiler.row();
        if extra.is_empty() {
            return Ok(self.flags.arguments(row, facts, None).into_iter().map(own).collect());
        }
        let mut arguments: Vec<OsString> = self.flags.driver_arguments(row, facts, None).into_iter().map(own).collect();
        arguments.push("-Wno-unused-command-line-argument".into());
        arguments.extend(extra.iter().map(OsString::from));
        Ok(arguments)
    }

    /// A word that ends in an action's name for a file of the line, with the line's name for it.
    fn file_of(&self, word: &str) -> Option<String> {
        let named = |file: &LinkFile| Some(format!("{}={}", word.strip_suffix(&format!("={}", file.name))?, file.path));
        self.flags.files().iter().find_map(named)
    }
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(PathBuf::from(path));
    word
}
