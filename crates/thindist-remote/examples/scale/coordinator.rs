//! thindist's own client and scheduler with meaningless actions, for an engine that only takes time.

#[path = "../shared/mod.rs"]
mod shared;

use std::path::Path;
use std::sync::Arc;
use thindist_core::digest::Digest;
use thindist_exec::{
    ActionCache, CancelToken, Cas, Executor, Job, Limits, MemoryBudget, Outcome, Permit, ProgressSink, Work, run_all,
};
use thindist_remote::{Client, Ended, RemoteExecutor, There as _, Toolchain, Worker};

/// Files of a compiler, each small: what counts is that every action names them.
const TOOLCHAIN: usize = 20;
/// Bytes of a module and of an index.
const MODULE: usize = 8 << 10;
const INDEX: usize = 1 << 10;

pub(crate) fn jobs(count: usize) -> Vec<Job> {
    (0..count).map(job).collect()
}

fn job(number: usize) -> Job {
    let content = |size: usize| -> Arc<[u8]> { number.to_le_bytes().into_iter().cycle().take(size).collect() };
    let (module, index) = (content(MODULE), content(INDEX));
    let arguments = vec!["-c".to_owned(), "module.bc".to_owned()];
    shared::job(format!("module{number}.o"), Digest::of(b"compiler"), arguments, module, index)
}

/// Runs `jobs` on the engine at `address` with stores below `home`; so many at a time, `waiting` of them without a worker.
pub(crate) fn run(address: &str, home: &Path, jobs: &[Job], in_flight: usize, waiting: usize) -> Vec<Outcome> {
    let client = Client::connect(&shared::options(address)).unwrap_or_else(|error| panic!("{error}"));
    let cas = Cas::open(home).unwrap_or_else(|error| panic!("{error}"));
    let action_cache = ActionCache::open(home).unwrap_or_else(|error| panic!("{error}"));
    let worker = Worker { toolchain: toolchain(home), properties: Vec::new() };
    let remote = RemoteExecutor::new(&client, &cas, worker, true).unwrap_or_else(|error| panic!("{error}"));
    let limits = Limits {
        max_jobs: waiting,
        max_unfinished: in_flight,
        slots: None,
        jobserver: None,
        memory: MemoryBudget::FixedKib(u64::MAX),
    };
    let work = Work { jobs, estimates: &[], executor: &Remote(remote), cache: &action_cache, cas: &cas };
    run_all(work, limits, &Unseen, &CancelToken::new())
}

fn toolchain(home: &Path) -> Toolchain {
    let file = |number: usize| {
        let name = format!("library{number}.so");
        let path = home.join(&name);
        std::fs::write(&path, &name).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        thindist_remote::ToolFile { digest: Digest::of(name.as_bytes()), name, path }
    };
    Toolchain::Shipped {
        files: (0..TOOLCHAIN).map(file).collect(),
        loader: "library0.so".to_owned(),
        compiler: "library1.so".to_owned(),
    }
}

/// The engine and nothing beside it.
struct Remote<'a>(RemoteExecutor<'a>);

impl Executor for Remote<'_> {
    fn execute(&self, job: &Job, place: &mut Permit, cancel: &CancelToken) -> Outcome {
        match self.0.run(job, cancel, &mut || place.release()) {
            Ended::Success(native) => Outcome::Success(native),
            Ended::Failed { status, stderr } => Outcome::CompileFailed { status, stderr },
            Ended::Unavailable(error) => Outcome::InfraFailed { message: error.to_string() },
            Ended::Cancelled => Outcome::Cancelled,
        }
    }
}

struct Unseen;

impl ProgressSink for Unseen {
    fn started(&self, _index: usize) {}
    fn finished(&self, _index: usize, _outcome: &Outcome) {}
}
