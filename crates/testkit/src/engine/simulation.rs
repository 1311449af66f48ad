//! Simulated workers that only take time: no compiler runs, and an object names the module that it was made from.
//!
//! For questions of scheduling. Inputs must be there as for real ones.

use super::messages::{answer, ended, message, stamp, started};
use super::store::Store;
use super::workers::{InFlight, Workers};
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning::Operation;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc::Sender;
use tonic::Status;

/// What an object of a simulated worker has behind its headers: the digest of the module that it is of.
const HEADERS: usize = 200;
/// x86_64.
const MACHINE: u16 = 62;

/// Lets an action wait for a worker, run and end, and tells its stream. Whoever gives up a stream gives up its action.
pub(super) async fn work(
    workers: Arc<Workers>,
    store: Arc<Store>,
    name: String,
    news: Sender<Result<Operation, Status>>,
) {
    let here = InFlight::enter(&workers);
    let queued = SystemTime::now();
    let _ = news.send(Ok(started(&name, api::execution_stage::Value::Queued))).await;
    let Some(place) = unless_closed(&news, workers.places().acquire_owned()).await else { return };
    let Ok(place) = place else { return };
    let begun = SystemTime::now();
    let running = here.run(&name, place);
    let _ = news.send(Ok(started(&name, api::execution_stage::Value::Executing))).await;
    if unless_closed(&news, tokio::time::sleep(workers.duration())).await.is_none() {
        return;
    }
    // In this order no more are ever seen here than wait and run.
    drop(here);
    drop(running);
    let result = finish(&store, &name, queued, begun);
    // What is said now has to arrive as well.
    tokio::time::sleep(workers.latency() / 2).await;
    let _ = news.send(Ok(ended(&name, result, false))).await;
}

async fn unless_closed<T>(news: &Sender<Result<Operation, Status>>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = news.closed() => None,
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
