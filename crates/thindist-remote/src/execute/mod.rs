//! Backends on the workers of an engine.
//!
//! An action of ours becomes one of the API: a command, and an input root that holds what the local action root holds and, unless
//! workers have a compiler of their own, the compiler. What comes back is checked as everything that comes from an engine.

mod action;
mod flight;
mod hybrid;
mod operation;
mod race;
mod sent;
mod times;
mod toolchain;
mod tree;

pub(crate) use action::RemoteAction;
pub use flight::Flight;
pub use hybrid::{Hybrid, Policy};
pub(crate) use sent::Sent;
pub use toolchain::{ToolFile, Toolchain};

use crate::blobs::{self, Fetched};
use crate::client::Client;
use crate::engine::Engine;
use crate::error::RemoteError;
use crate::results::{ActionOutput, Text};
use crate::retry;
use operation::{Patience, Trouble};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use thindist_core::digest::Digest;
use thindist_exec::{CancelToken, Cas, Job, NativeObject, Origin, Times, object_check};
use tokio::time::sleep;

/// How often an action is tried whose blobs have gone meanwhile, or whose result cannot be used.
const ATTEMPTS: u32 = 3;

/// What all actions of a run have in common.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Where the compiler comes from.
    pub toolchain: Toolchain,
    /// What a worker must be, as name and value.
    pub properties: Vec<(String, String)>,
}

/// Runs backends on an engine.
#[derive(Debug)]
pub struct RemoteExecutor<'a> {
    client: &'a Client,
    cas: Cas,
    worker: Worker,
    accept_cached: bool,
    patience: Patience,
}

/// Backends on an engine at a time, unless a setting says otherwise: each has a thread here that waits for it.
pub const IN_FLIGHT: usize = 2000;
/// Of those, the ones that no worker has begun. With three round trips of 50 ms before that it is 1,300 a second at best.
pub const WAITING: usize = 200;

/// A machine elsewhere.
pub trait There: Sync {
    /// Runs one job; calls `begun` when a worker has it, perhaps more than once.
    fn run(&self, job: &Job, cancel: &CancelToken, begun: &mut dyn FnMut()) -> Ended;
}

impl There for RemoteExecutor<'_> {
    fn run(&self, job: &Job, cancel: &CancelToken, begun: &mut dyn FnMut()) -> Ended {
        let action = match RemoteAction::of(job, &self.worker) {
            Ok(action) => action,
            Err(what) => return Ended::Unavailable(self.error(format!("{}: {what}", job.name))),
        };
        self.client.block_on(unless_cancelled(cancel, self.run_action(job, &action, begun)))
    }
}

/// How that ended.
#[derive(Debug)]
pub enum Ended {
    /// With a native object in the local CAS.
    Success(NativeObject),
    /// The compiler has failed there.
    Failed {
        /// "exit status 1".
        status: String,
        /// What it said.
        stderr: Vec<u8>,
    },
    /// It could not be run there, or its result could not be had.
    Unavailable(RemoteError),
    /// The link has been cancelled.
    Cancelled,
}

impl<'a> RemoteExecutor<'a> {
    /// An executor of this engine, which must be one that executes.
    pub fn new(client: &'a Client, cas: &Cas, worker: Worker, accept_cached: bool) -> Result<Self, RemoteError> {
        client.engine().executor()?;
        let patience = Patience::new(client.engine().timeout());
        Ok(Self { client, cas: cas.clone(), worker, accept_cached, patience })
    }

    fn engine(&self) -> &Engine {
        self.client.engine()
    }

    fn error(&self, what: impl Into<String>) -> RemoteError {
        self.engine().connection.error(what)
    }

    async fn run_action(&self, job: &Job, action: &RemoteAction, begun: &mut dyn FnMut()) -> Ended {
        let mut skip_cache = !self.accept_cached;
        let mut last = String::new();
        for number in 0..ATTEMPTS {
            if number > 0 {
                tracing::debug!(module = job.name, number, why = last, "run again");
                sleep(retry::delay(number)).await;
            }
            if let Err(error) = self.client.sent.ensure(self.engine(), &action.blobs).await {
                return Ended::Unavailable(error);
            }
            let (asked, mut queued) = (Instant::now(), None);
            let mut begun = || {
                queued.get_or_insert_with(|| asked.elapsed());
                begun();
            };
            match operation::run(self.engine(), &action.digest, skip_cache, &self.patience, &mut begun).await {
                Ok(response) => match self.take(job, response, action, queued).await {
                    Ok(ended) => return ended,
                    // What the action cache has is of no use, or has gone.
                    Err(what) => {
                        skip_cache = true;
                        last = what;
                    }
                },
                Err(Trouble::Missing(what)) => {
                    self.client.sent.forget(&action.blobs, &what);
                    last = what;
                }
                Err(Trouble::Passing(what)) => last = what,
                Err(Trouble::Error(error)) => return Ended::Unavailable(error),
            }
        }
        Ended::Unavailable(self.error(format!("{}: {last}", job.name)))
    }

    /// The result as far as it can be used; an error if it is worth another try.
    async fn take(
        &self,
        job: &Job,
        response: crate::api::ExecuteResponse,
        action: &RemoteAction,
        queued: Option<Duration>,
    ) -> Result<Ended, String> {
        let cached = response.cached_result;
        let result = response.result.ok_or("it gave no result")?;
        if was_killed(result.exit_code) {
            return Err(format!("its compiler was killed (exit status {})", result.exit_code));
        }
        if result.exit_code != 0 {
            let status = format!("exit status {}", result.exit_code);
            return Ok(Ended::Failed { status, stderr: result.stderr_raw });
        }
        let times = times::of(result.execution_metadata.as_ref().filter(|_| !cached), queued.filter(|_| !cached));
        let output = ActionOutput::read(result).ok_or("it gave no native object")?;
        let wanted: BTreeSet<Digest> = output.blobs().filter(|blob| !self.cas.contains(blob)).collect();
        let bytes_down = wanted.iter().map(Digest::size).sum();
        let (fetched, failed) = blobs::download(self.engine(), wanted).await;
        if let Some(error) = failed {
            return Ok(Ended::Unavailable(error));
        }
        let content = |digest: &Digest| match fetched.get(digest) {
            Some(Fetched::Good(bytes)) => Ok(bytes.to_vec()),
            Some(Fetched::Missing) => Err(format!("its result names {digest}, which it does not have")),
            Some(Fetched::Wrong) => Err(format!("its blob {digest} has another content")),
            None => {
                self.cas.read(digest).ok().flatten().ok_or_else(|| format!("{digest} is missing from the local CAS"))
            }
        };
        let stderr = match output.stderr {
            Text::Inline(text) => text,
            Text::Blob(digest) => content(&digest)?,
        };
        let object = content(&output.object)?;
        object_check::check(&object, job.action.elf_machine).map_err(|what| format!("its native object is {what}"))?;
        self.cas.put_fetched(&output.object, &object).map_err(|error| error.to_string())?;
        let from = if cached { Origin::RemoteCache } else { Origin::RemoteExecuted };
        let times = Box::new(Times { bytes_up: self.client.sent.take_bytes(&action.blobs), bytes_down, ..times });
        Ok(Ended::Success(NativeObject {
            digest: output.object,
            side: Box::default(),
            stderr,
            from,
            estimate: None,
            times,
        }))
    }
}

/// Short of memory, or with its machine: that says nothing of the source. Engines have a signal as a shell does, or as -1.
fn was_killed(exit_code: i32) -> bool {
    !(0..=128).contains(&exit_code)
}

async fn unless_cancelled(cancel: &CancelToken, work: impl Future<Output = Ended>) -> Ended {
    let (mut work, mut cancelled) = (pin!(work), pin!(cancel.cancelled()));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending => cancelled.as_mut().poll(context).map(|()| Ended::Cancelled),
        ended => ended,
    })
    .await
}
