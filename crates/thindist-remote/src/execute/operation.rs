//! One execution on an engine: started, waited for, resumed when its stream is lost.

use crate::connection::MAX_MESSAGE;
use crate::engine::Engine;
use crate::error::RemoteError;
use crate::pool::Lease;
use crate::{api, retry};
use api::execution_client::ExecutionClient;
use bazel_remote_apis::google::longrunning::{Operation, operation};
use prost::Message as _;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use thindist_core::digest::Digest;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Status, Streaming};

/// A backend may take so many times the time that a call may.
const EXECUTION: u32 = 20;

/// How long an engine may be silent. Its queue is long for good reasons, so what counts is that something moves.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    last_news: Mutex<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, last_news: Mutex::new(Instant::now()) }
    }

    /// An action has begun or ended.
    fn news(&self) {
        *self.last_news.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn until(&self, executing: bool) -> Instant {
        let limit = if executing { self.limit * EXECUTION } else { self.limit };
        *self.last_news.lock().unwrap_or_else(PoisonError::into_inner) + limit
    }
}

impl Patience {
    /// Waits for `answer` as long as there is news, of this action or of others. A server may keep its first word until an
    /// action has ended.
    async fn wait<T>(&self, executing: bool, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        loop {
            let until = self.until(executing);
            match timeout_at(until, &mut answer).await {
                Ok(answer) => return Some(answer),
                Err(_) if self.until(executing) > until => {}
                Err(_) => return None,
            }
        }
    }
}

/// Why an execution has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The engine does not have all of the action. Its words may name what.
    Missing(String),
    /// The worker has gone, or something else that may not be so the next time.
    Passing(String),
    /// Anything else.
    Error(RemoteError),
}

/// What one stream has come to.
enum Step {
    Done(Box<api::ExecuteResponse>),
    /// It ended early.
    Lost,
    /// Nothing has moved for too long.
    Silent,
}

/// Executes the action and waits for its end; calls `begun` when a worker has it.
pub(super) async fn run(
    engine: &Engine,
    action: &Digest,
    skip_cache: bool,
    patience: &Patience,
    begun: &mut dyn FnMut(),
) -> Result<api::ExecuteResponse, Trouble> {
    let mut name = String::new();
    let mut number = 0;
    // The first to be started must not be measured by what happened before.
    patience.news();
    loop {
        let step = match patience.wait(false, open(engine, action, skip_cache, &name)).await {
            Some(Ok((_lease, mut stream))) => follow(&mut stream, &mut name, patience, begun).await,
            Some(Err(status)) => Err(status),
            None => Ok(Step::Silent),
        };
        let status = match step {
            Ok(Step::Done(response)) => return judge(engine, *response),
            Ok(Step::Silent) => {
                return Err(Trouble::Error(
                    engine.close("Execute: no action has begun or ended within remote_timeout"),
                ));
            }
            Ok(Step::Lost) => Status::unavailable("the stream ended early"),
            Err(status) => status,
        };
        match status.code() {
            // It does not know the operation any more: from the beginning.
            Code::NotFound if !name.is_empty() => name.clear(),
            // That is not counted: patience bounds it. It may be said at once, and then again.
            Code::DeadlineExceeded if !name.is_empty() => {
                sleep(retry::delay(0)).await;
                continue;
            }
            code if retry::may_pass(code) => {}
            _ => return Err(trouble(engine, &status)),
        }
        if number >= engine.retries() {
            return Err(trouble(engine, &status));
        }
        tracing::debug!(call = "Execute", number, code = ?status.code(), "again");
        sleep(retry::delay(number)).await;
        number += 1;
    }
}

async fn open(
    engine: &Engine,
    action: &Digest,
    skip_cache: bool,
    name: &str,
) -> Result<(Lease, Streaming<Operation>), Status> {
    let connection = engine.executor().map_err(|error| Status::failed_precondition(error.to_string()))?;
    if connection.is_closed() {
        return Err(Status::aborted("not asked again after its last failure"));
    }
    let (lease, envelope) = connection.stream();
    let mut client = ExecutionClient::new(lease.channel()).max_decoding_message_size(MAX_MESSAGE);
    let stream = if name.is_empty() {
        let request = api::ExecuteRequest {
            instance_name: engine.instance.to_string(),
            skip_cache_lookup: skip_cache,
            action_digest: Some(api::digest(action)),
            digest_function: api::DIGEST_FUNCTION,
            inline_stderr: true,
            ..api::ExecuteRequest::default()
        };
        client.execute(envelope.request(request, Some(action))).await?
    } else {
        let request = api::WaitExecutionRequest { name: name.to_owned() };
        client.wait_execution(envelope.request(request, Some(action))).await?
    };
    Ok((lease, stream.into_inner()))
}

async fn follow(
    stream: &mut Streaming<Operation>,
    name: &mut String,
    patience: &Patience,
    begun: &mut dyn FnMut(),
) -> Result<Step, Status> {
    let mut executing = false;
    loop {
        let Some(message) = patience.wait(executing, stream.message()).await else { return Ok(Step::Silent) };
        let Some(operation) = message? else { return Ok(Step::Lost) };
        name.clone_from(&operation.name);
        let now_executing = stage(&operation) == Some(api::execution_stage::Value::Executing as i32);
        if operation.done || now_executing != executing {
            patience.news();
        }
        if now_executing {
            begun();
        }
        executing = now_executing;
        if operation.done {
            return done(operation);
        }
    }
}

fn stage(operation: &Operation) -> Option<i32> {
    let metadata = operation.metadata.as_ref()?;
    Some(api::ExecuteOperationMetadata::decode(metadata.value.as_slice()).ok()?.stage)
}

fn done(operation: Operation) -> Result<Step, Status> {
    match operation.result {
        Some(operation::Result::Response(any)) => api::ExecuteResponse::decode(any.value.as_slice())
            .map(|response| Step::Done(Box::new(response)))
            .map_err(|error| Status::data_loss(format!("not an ExecuteResponse: {error}"))),
        Some(operation::Result::Error(status)) => Err(Status::new(Code::from(status.code), status.message)),
        None => Err(Status::data_loss("an operation that is done without a result")),
    }
}

fn judge(engine: &Engine, response: api::ExecuteResponse) -> Result<api::ExecuteResponse, Trouble> {
    match &response.status {
        Some(status) if status.code != Code::Ok as i32 => {
            // Violations are in the details; digests in them are text.
            let details: String =
                status.details.iter().map(|any| String::from_utf8_lossy(&any.value).into_owned()).collect();
            let (code, message) = (Code::from(status.code), format!("{} {details}", status.message));
            Err(match code {
                Code::Unavailable | Code::Aborted | Code::Cancelled | Code::ResourceExhausted | Code::Unknown => {
                    Trouble::Passing(format!("Execute: {}", message.trim()))
                }
                _ => trouble(engine, &Status::new(code, message)),
            })
        }
        _ => Ok(response),
    }
}

/// Servers say in at least four ways that a blob is missing.
fn trouble(engine: &Engine, status: &Status) -> Trouble {
    match status.code() {
        Code::NotFound | Code::FailedPrecondition | Code::Internal => {
            Trouble::Missing(format!("Execute: {}", status.message()))
        }
        _ => Trouble::Error(engine.refused("Execute", status)),
    }
}
