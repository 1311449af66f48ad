//! Simulated workers that only take time: no compiler runs, and an object names the module that it was made from.
//!
//! For questions of scheduling. Inputs must be there as for real ones.

use super::execution::{answer, ended, message, started};
use super::store::Store;
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning::Operation;
use bazel_remote_apis::google::protobuf::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// Workers of an engine that does not run what it is given.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Actions that run at a time; the others wait.
    pub workers: usize,
    /// What passes between each call and its answer.
    pub latency: Duration,
    /// What each action takes.
    pub duration: Duration,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated {
    /// How often each action was begun.
    pub begun: BTreeMap<String, usize>,
    /// The most actions that were here at a time, waiting or running.
    pub most_in_flight: usize,
    /// The most that ran.
    pub most_running: usize,
    in_flight: usize,
    running: usize,
}

#[derive(Debug)]
pub(super) struct Workers {
    plan: Simulation,
    places: Arc<Semaphore>,
    seen: Mutex<Simulated>,
}

/// What an object of a simulated worker has behind its headers: the digest of the module that it is of.
const HEADERS: usize = 200;
/// x86_64.
const MACHINE: u16 = 62;

impl Workers {
    pub(super) fn new(plan: Simulation) -> Self {
        Self { plan, places: Arc::new(Semaphore::new(plan.workers)), seen: Mutex::default() }
    }

    pub(super) fn latency(&self) -> Duration {
        self.plan.latency
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Simulated> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an action wait for a worker, run and end, and tells its stream. Whoever gives up a stream gives up its action.
    pub(super) async fn work(
        self: Arc<Self>,
        store: Arc<Store>,
        name: String,
        news: Sender<Result<Operation, Status>>,
    ) {
        let here = InFlight::enter(&self);
        let queued = SystemTime::now();
        let _ = news.send(Ok(started(&name, api::execution_stage::Value::Queued))).await;
        let Some(place) = unless_closed(&news, Arc::clone(&self.places).acquire_owned()).await else { return };
        let Ok(place) = place else { return };
        let begun = SystemTime::now();
        let running = here.run(&name, place);
        let _ = news.send(Ok(started(&name, api::execution_stage::Value::Executing))).await;
        if unless_closed(&news, tokio::time::sleep(self.plan.duration)).await.is_none() {
            return;
        }
        // In this order no more are ever seen here than wait and run.
        drop(here);
        drop(running);
        let result = finish(&store, &name, queued, begun);
        // What is said now has to arrive as well.
        tokio::time::sleep(self.plan.latency / 2).await;
        let _ = news.send(Ok(ended(&name, result, false))).await;
    }
}

async fn unless_closed<T>(news: &Sender<Result<Operation, Status>>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = news.closed() => None,
    }
}

/// An action that is here.
struct InFlight<'a>(&'a Workers);

impl<'a> InFlight<'a> {
    fn enter(workers: &'a Workers) -> Self {
        let mut seen = workers.seen();
        seen.in_flight += 1;
        seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
        Self(workers)
    }

    fn run(&self, name: &str, place: OwnedSemaphorePermit) -> Running<'a> {
        let mut seen = self.0.seen();
        *seen.begun.entry(name.to_owned()).or_default() += 1;
        seen.running += 1;
        seen.most_running = seen.most_running.max(seen.running);
        Running(self.0, Some(place))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.seen().in_flight -= 1;
    }
}

/// An action that has a worker.
struct Running<'a>(&'a Workers, Option<OwnedSemaphorePermit>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Counted down before the place is free for the next.
        self.0.seen().running -= 1;
        drop(self.1.take());
    }
}

fn finish(store: &Store, name: &str, queued: SystemTime, begun: SystemTime) -> Result<api::ActionResult, Status> {
    let action: api::Action = message(store, name)?;
    let root = action.input_root_digest.as_ref().map_or("", |digest| &digest.hash);
    let module = module(store, root)?.ok_or_else(|| Status::invalid_argument("no module"))?;
    let metadata = api::ExecutedActionMetadata {
        worker: "simulated".to_owned(),
        queued_timestamp: stamp(queued),
        worker_start_timestamp: stamp(begun),
        execution_start_timestamp: stamp(begun),
        execution_completed_timestamp: stamp(SystemTime::now()),
        ..api::ExecutedActionMetadata::default()
    };
    let result = api::ActionResult { execution_metadata: Some(metadata), ..answer(store, object_of(&module)) };
    store.put_result(name.to_owned(), result.clone())?;
    Ok(result)
}

pub(super) fn stamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let nanos = i32::try_from(since.subsec_nanos()).ok()?;
    Some(Timestamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos })
}

/// The digest of the module below `tree`, of which every file must be there.
fn module(store: &Store, tree: &str) -> Result<Option<String>, Status> {
    let tree: api::Directory = message(store, tree)?;
    let mut found = None;
    for file in &tree.files {
        let hash = file.digest.as_ref().map_or("", |digest| &digest.hash);
        if !store.has(hash) {
            return Err(Status::failed_precondition(format!("missing {hash}")));
        }
        if file.name == "module.bc" {
            found = Some(hash.to_owned());
        }
    }
    for below in &tree.directories {
        let hash = below.digest.as_ref().map_or("", |digest| &digest.hash);
        found = found.or(module(store, hash)?);
    }
    Ok(found)
}

/// The object that a simulated worker makes of the module with this hash: a header, a null section, one of strings.
#[must_use]
pub fn object_of(module: &str) -> Vec<u8> {
    let mut bytes = vec![0; HEADERS];
    bytes.splice(..8, *b"\x7fELF\x02\x01\x01\0");
    let header = [(16, 1), (18, MACHINE), (20, 1), (40, 72), (52, 64), (58, 64), (60, 2), (62, 1)];
    let strings = [(136 + 4, 3), (136 + 24, 64), (136 + 32, 1)];
    for (offset, value) in header.into_iter().chain(strings) {
        bytes.splice(offset..offset + 2, value.to_le_bytes());
    }
    bytes.extend_from_slice(module.as_bytes());
    bytes
}
