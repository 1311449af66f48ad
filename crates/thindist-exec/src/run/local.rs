//! Runs an action on this machine by starting the compiler.

use crate::cancel::CancelToken;
use crate::estimate::Estimate;
use crate::limits::permit::Permit;
use crate::run::action_root::ActionRoot;
use crate::run::job::{Job, NativeObject, Origin, Outcome, Source, Times};
use crate::run::object_check;
use crate::run::process::{self, Finished, Invocation, RunError, Status, Usage};
use crate::run::warm::WarmCompiler;
use crate::store::cas::Cas;
use crate::store::file_stamp::FileStamp;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};
use thindist_core::digest::Digest;

/// Something that turns a job into an outcome.
pub trait Executor: Sync {
    /// Runs one job. Does not return before whatever it started has ended; may release `permit` then.
    fn execute(&self, job: &Job, permit: &mut Permit, cancel: &CancelToken) -> Outcome;
}

/// Runs the compiler here.
#[derive(Debug, Clone)]
pub struct LocalExecutor {
    /// The compiler.
    pub compiler: PathBuf,
    /// The compiler's whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where action roots are made.
    pub work_dir: PathBuf,
    /// Where native objects go.
    pub cas: Cas,
    /// The same compiler with the same environment, started already. `None`: a plain process for each run.
    pub warm: Option<WarmCompiler>,
}

impl Executor for LocalExecutor {
    fn execute(&self, job: &Job, permit: &mut Permit, cancel: &CancelToken) -> Outcome {
        if cancel.is_cancelled() {
            return Outcome::Cancelled;
        }
        self.run(job, permit, cancel).unwrap_or_else(|failure| failure)
    }
}

impl LocalExecutor {
    /// Whatever is not a success ends it early, as an `Err`.
    fn run(&self, job: &Job, permit: &mut Permit, cancel: &CancelToken) -> Result<Outcome, Outcome> {
        let begun = Instant::now();
        let root = ActionRoot::materialize(job, &self.work_dir).map_err(infra)?;
        let fetched = Instant::now();
        let finished = self.compile(job, &root, permit.slot(), cancel).map_err(infra)?;
        let compiled = Instant::now();
        expect_success(&finished, cancel)?;
        permit.release();
        let object = root.native_object();
        let digest = check_object(&object, job.action.elf_machine).map_err(|what| unusable(&what, &finished))?;
        expect_unchanged(job)?;
        let digest = self.cas.adopt_known(&object, digest).map_err(infra)?;
        let side = self.side_outputs(job, &root, &finished)?;
        let estimate = estimate(finished.usage);
        let times = Times {
            fetch_ms: Some(millis(fetched - begun)),
            execute_ms: Some(estimate.duration_ms),
            upload_ms: Some(millis(compiled.elapsed())),
            ..Times::default()
        };
        let (stderr, estimate, times) = (diagnostics(&finished), Some(estimate), Box::new(times));
        Ok(Outcome::Success(NativeObject { digest, side, stderr, from: Origin::Executed, estimate, times }))
    }

    fn side_outputs(
        &self,
        job: &Job,
        root: &ActionRoot,
        finished: &Finished,
    ) -> Result<Box<[(String, Digest)]>, Outcome> {
        let keep = |name: &str| {
            let path = root.working_directory().join(name);
            let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
            if !is_file {
                let status = format!("{}, but there is no {name} beside its native object", finished.status);
                return Err(Outcome::CompileFailed { status, stderr: diagnostics(finished) });
            }
            Ok((name.to_owned(), self.cas.put_file(&path).map_err(infra)?))
        };
        job.action.side_outputs().map(keep).collect()
    }

    fn compile(
        &self,
        job: &Job,
        root: &ActionRoot,
        slot: Option<BorrowedFd<'_>>,
        cancel: &CancelToken,
    ) -> Result<Finished, RunError> {
        let mut runs = job.action.runs();
        let mut finished = self.compile_once(runs.next().unwrap_or_default(), root, slot, cancel)?;
        for run in runs {
            if finished.status == Status::Exited(0) {
                finished = finished.then(self.compile_once(run, root, slot, cancel)?);
            }
        }
        Ok(finished)
    }

    fn compile_once(
        &self,
        arguments: &[String],
        root: &ActionRoot,
        slot: Option<BorrowedFd<'_>>,
        cancel: &CancelToken,
    ) -> Result<Finished, RunError> {
        let arguments = arguments.iter().map(OsString::from).collect();
        let directory = root.working_directory();
        if let Some(warm) = &self.warm {
            return warm.run(arguments, directory, slot, cancel);
        }
        let (program, environment) = (self.compiler.clone(), self.environment.clone());
        let directory = Some(directory.to_owned());
        process::run(&Invocation { program, arguments, environment, directory }, slot, cancel)
    }
}

fn infra(error: impl std::fmt::Display) -> Outcome {
    Outcome::InfraFailed { message: error.to_string() }
}

fn unusable(what: &str, finished: &Finished) -> Outcome {
    let status = format!("{}, but its native object is {what}", finished.status);
    Outcome::CompileFailed { status, stderr: diagnostics(finished) }
}

fn estimate(usage: Usage) -> Estimate {
    Estimate { duration_ms: millis(usage.elapsed), peak_rss_kib: usage.peak_rss_kib }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A compiler says nothing on its standard output; a wrapper around one may.
fn diagnostics(finished: &Finished) -> Vec<u8> {
    [finished.stdout.as_slice(), &finished.stderr].concat()
}

fn expect_success(finished: &Finished, cancel: &CancelToken) -> Result<(), Outcome> {
    let hint = match finished.status {
        Status::Exited(0) => return Ok(()),
        // We ended it ourselves, whatever it made of that.
        _ if cancel.is_cancelled() => return Err(Outcome::Cancelled),
        Status::Signaled(libc::SIGKILL) => "; perhaps by the kernel for lack of memory: try fewer jobs",
        _ => "",
    };
    Err(Outcome::CompileFailed { status: format!("{}{hint}", finished.status), stderr: diagnostics(finished) })
}

/// The digest of a usable native object, or what is wrong with it.
fn check_object(path: &Path, machine: u16) -> Result<Digest, String> {
    // A compiler that makes a link or a device of its output is not one.
    let is_file = fs::symlink_metadata(path).map(|metadata| metadata.is_file());
    match is_file.and_then(|is_file| if is_file { fs::read(path) } else { Err(io::ErrorKind::NotFound.into()) }) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("missing".to_owned()),
        Err(error) => Err(format!("unreadable ({error})")),
        Ok(bytes) => object_check::check(&bytes, machine).map(|()| Digest::of(&bytes)),
    }
}

/// An input that was written while the compiler read it gives an object of neither content; no key fits it.
fn expect_unchanged(job: &Job) -> Result<(), Outcome> {
    for source in job.sources() {
        let Source::File { path, stamp: Some(stamp) } = source else { continue };
        if !FileStamp::of(path).is_ok_and(|now| now == *stamp) {
            return Err(infra(format_args!("{} changed while {} was being compiled", path.display(), job.name)));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
