//! The engine as a worker: input roots are laid out, commands run, outputs kept.

use super::messages::{blob, ended, hash, message, stamp, started};
use super::services::Service;
use super::simulation;
use super::store::{Fault, HOLD, Store};
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning::Operation;
use bazel_remote_apis::google::protobuf::Timestamp;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

type Operations = ReceiverStream<Result<Operation, Status>>;

#[tonic::async_trait]
impl api::execution_server::Execution for Service {
    type ExecuteStream = Operations;
    type WaitExecutionStream = Operations;

    async fn execute(&self, request: Request<api::ExecuteRequest>) -> Result<Response<Operations>, Status> {
        self.enter("Execute", &request.get_ref().instance_name, &request).await?;
        let request = request.into_inner();
        let name = request.action_digest.as_ref().map(|digest| digest.hash.clone()).unwrap_or_default();
        let fault = self.store.execution_fault();
        if fault == Fault::Mute {
            std::future::pending::<()>().await;
        }
        if fault == Fault::Refused {
            return Err(Status::failed_precondition("no worker has the properties of this action"));
        }
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        if let Some(workers) = &self.store.workers {
            tokio::spawn(simulation::work(Arc::clone(workers), Arc::clone(&self.store), name, sender));
            return Ok(Response::new(ReceiverStream::new(receiver)));
        }
        let stage = if matches!(fault, Fault::Queue | Fault::Held) {
            api::execution_stage::Value::Queued
        } else {
            api::execution_stage::Value::Executing
        };
        let _ = sender.send(Ok(started(&name, stage))).await;
        match fault {
            // Whoever waits keeps the other end.
            Fault::Queue | Fault::Stuck(_) => drop(tokio::spawn(async move { sender.closed().await })),
            Fault::Held => {
                let store = Arc::clone(&self.store);
                tokio::spawn(async move {
                    while store.holds() {
                        tokio::time::sleep(HOLD).await;
                    }
                    let work = move || known_or_run(&store, &name, request.skip_cache_lookup, Fault::None);
                    if let Ok(done) = tokio::task::spawn_blocking(work).await {
                        let _ = sender.send(Ok(done)).await;
                    }
                });
            }
            Fault::LostStreams | Fault::Impatient => {}
            _ => {
                let store = Arc::clone(&self.store);
                let work = move || known_or_run(&store, &name, request.skip_cache_lookup, fault);
                let done =
                    tokio::task::spawn_blocking(work).await.map_err(|error| Status::internal(error.to_string()))?;
                let _ = sender.send(Ok(done)).await;
            }
        }
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn wait_execution(
        &self,
        request: Request<api::WaitExecutionRequest>,
    ) -> Result<Response<Operations>, Status> {
        self.store.called("WaitExecution", &self.store.offer.instance.clone(), String::new())?;
        if self.store.execution_fault() == Fault::Impatient {
            return Err(Status::deadline_exceeded("waited for long enough"));
        }
        let (store, name) = (Arc::clone(&self.store), request.into_inner().name);
        let work = move || known_or_run(&store, &name, false, Fault::None);
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| Status::internal(error.to_string()))?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let _ = sender.send(Ok(done)).await;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

fn known_or_run(store: &Store, name: &str, skip_cache: bool, fault: Fault) -> Operation {
    let known = store.result(name).filter(|_| !skip_cache);
    let is_known = known.is_some();
    ended(name, known.map_or_else(|| run(store, name, fault), Ok), is_known)
}

fn run(store: &Store, name: &str, fault: Fault) -> Result<api::ActionResult, Status> {
    if let Fault::Evicting(_) = fault {
        store.forget_blobs();
    }
    let queued = SystemTime::now();
    if let Some(answer) = store.answer() {
        return Ok(answer);
    }
    let action: api::Action = message(store, name)?;
    let command: api::Command = message(store, hash(action.command_digest.as_ref()))?;
    if let Fault::Killed(code) = fault {
        return Err(Status::new(code, "the worker has gone"));
    }
    let root = tempfile::tempdir()?;
    lay_out(store, hash(action.input_root_digest.as_ref()), root.path())?;
    if fault == Fault::NoOutput {
        return Ok(api::ActionResult::default());
    }
    let directory = root.path().join(&command.working_directory);
    let (program, arguments) = command.arguments.split_first().ok_or_else(|| Status::invalid_argument("no command"))?;
    let program = if program.starts_with('/') { program.into() } else { directory.join(program) };
    let program = if fault == Fault::BrokenWorker { "/bin/false".into() } else { program };
    let fetched = SystemTime::now();
    let output = Command::new(program).args(arguments).current_dir(&directory).env_clear().output()?;
    let ended = SystemTime::now();
    let mut result = api::ActionResult {
        exit_code: output.status.code().unwrap_or(-1),
        stderr_raw: output.stderr,
        ..api::ActionResult::default()
    };
    if let Fault::Clock(seconds) = fault {
        result.execution_metadata = Some(times(seconds));
    }
    for path in &command.output_paths {
        let Ok(mut bytes) = std::fs::read(directory.join(path)) else { continue };
        if fault == Fault::KilledCompiler {
            bytes.truncate(bytes.len() / 2);
            result.exit_code = KILLED;
        }
        let digest = Some(store.keep(bytes));
        result.output_files.push(api::OutputFile { path: path.clone(), digest, ..api::OutputFile::default() });
    }
    result.execution_metadata = Some(api::ExecutedActionMetadata {
        worker: "fake".to_owned(),
        queued_timestamp: stamp(queued),
        worker_start_timestamp: stamp(queued),
        input_fetch_start_timestamp: stamp(queued),
        input_fetch_completed_timestamp: stamp(fetched),
        execution_start_timestamp: stamp(fetched),
        execution_completed_timestamp: stamp(ended),
        output_upload_start_timestamp: stamp(ended),
        output_upload_completed_timestamp: stamp(SystemTime::now()),
        ..api::ExecutedActionMetadata::default()
    });
    if result.exit_code == 0 {
        store.put_result(name.to_owned(), result.clone())?;
    }
    Ok(result)
}

/// As a shell has it.
const KILLED: i32 = 137;

/// Times by a clock that is wrong: each is before the one that it must come after.
fn times(seconds: i64) -> api::ExecutedActionMetadata {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(0);
    let at = |times: i64| Some(Timestamp { seconds: now.saturating_add(seconds.saturating_mul(times)), nanos: -1 });
    api::ExecutedActionMetadata {
        worker: "worker with a clock".to_owned(),
        queued_timestamp: at(4),
        worker_start_timestamp: at(3),
        execution_start_timestamp: at(2),
        execution_completed_timestamp: at(1),
        worker_completed_timestamp: at(0),
        ..api::ExecutedActionMetadata::default()
    }
}

fn lay_out(store: &Store, tree: &str, directory: &Path) -> Result<(), Status> {
    let tree: api::Directory = message(store, tree)?;
    for file in &tree.files {
        let wanted = hash(file.digest.as_ref());
        let bytes = blob(store, wanted)?;
        let path = directory.join(&file.name);
        std::fs::write(&path, bytes)?;
        let mode = if file.is_executable { 0o555 } else { 0o444 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    for below in &tree.directories {
        let path = directory.join(&below.name);
        std::fs::create_dir(&path)?;
        lay_out(store, hash(below.digest.as_ref()), &path)?;
    }
    Ok(())
}
