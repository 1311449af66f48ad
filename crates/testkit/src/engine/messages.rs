//! What the engine's answers are made of.

use super::store::Store;
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning::{Operation, operation};
use bazel_remote_apis::google::protobuf::{Any, Timestamp};
use bazel_remote_apis::google::rpc;
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::Status;

/// The one output that thindist asks for.
const OUTPUT: &str = "module.thinlto-native.o";
pub(super) fn started(name: &str, stage: api::execution_stage::Value) -> Operation {
    let metadata = api::ExecuteOperationMetadata { stage: stage as i32, ..api::ExecuteOperationMetadata::default() };
    Operation { name: name.to_owned(), metadata: Some(any(&metadata)), done: false, result: None }
}

pub(super) fn ended(name: &str, result: Result<api::ActionResult, Status>, cached_result: bool) -> Operation {
    let (result, status) = match result {
        Ok(result) => (Some(result), None),
        Err(status) => {
            (None, Some(rpc::Status { code: status.code() as i32, message: status.message().into(), details: vec![] }))
        }
    };
    let response = api::ExecuteResponse { result, cached_result, status, ..api::ExecuteResponse::default() };
    let result = Some(operation::Result::Response(any(&response)));
    Operation { name: name.to_owned(), metadata: None, done: true, result }
}

fn any(message: &impl Message) -> Any {
    Any { type_url: String::new(), value: message.encode_to_vec() }
}

pub(super) fn blob(store: &Store, hash: &str) -> Result<Vec<u8>, Status> {
    store.peek(hash).ok_or_else(|| Status::new(store.offer.absent_blob, format!("missing blob {hash}")))
}

pub(super) fn message<T: Message + Default>(store: &Store, hash: &str) -> Result<T, Status> {
    let bytes = blob(store, hash)?;
    T::decode(bytes.as_slice()).map_err(|error| Status::invalid_argument(format!("{hash}: {error}")))
}

pub(super) fn hash(digest: Option<&api::Digest>) -> &str {
    digest.map_or("", |digest| &digest.hash)
}

/// This object, of each action.
pub(super) fn answer(store: &Store, object: Vec<u8>) -> api::ActionResult {
    let digest = Some(store.keep(object));
    let file = api::OutputFile { path: OUTPUT.to_owned(), digest, ..api::OutputFile::default() };
    api::ActionResult { output_files: vec![file], ..api::ActionResult::default() }
}

pub(super) fn stamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let nanos = i32::try_from(since.subsec_nanos()).ok()?;
    Some(Timestamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos })
}
