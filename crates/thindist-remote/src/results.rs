//! Results of actions: what an action cache answers, before and after it is verified.

use crate::api;
use crate::client::Engine;
use crate::connection::MAX_MESSAGE;
use crate::error::RemoteError;
use api::action_cache_client::ActionCacheClient;
use std::sync::Arc;
use thindist_core::action::NATIVE_OBJECT_NAME;
use thindist_core::digest::Digest;
use tonic::{Code, Status};

/// The name under which results of this program are left.
const WORKER: &str = "thindist";

/// The result of a successful run, as far as it names what there must be.
#[derive(Debug, Clone)]
pub(crate) struct ActionOutput {
    /// The native object's content.
    pub(crate) object: Digest,
    pub(crate) stderr: Text,
}

/// What a compiler said.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Inline(Vec<u8>),
    Blob(Digest),
}

impl ActionOutput {
    /// The blobs that it names.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Digest> {
        let text = match &self.stderr {
            Text::Blob(digest) => Some(*digest),
            Text::Inline(_) => None,
        };
        [self.object].into_iter().chain(text)
    }

    /// `None`: not the result of a successful backend, whatever it may be.
    pub(crate) fn read(result: api::ActionResult) -> Option<Self> {
        let output = result.output_files.iter().find(|file| file.path == NATIVE_OBJECT_NAME)?;
        let object = api::parse_digest(output.digest.as_ref()?)?;
        if result.exit_code != 0 || object.size() == 0 {
            return None;
        }
        let stderr = match result.stderr_digest.as_ref().and_then(api::parse_digest) {
            Some(digest) if result.stderr_raw.is_empty() && digest.size() > 0 => Text::Blob(digest),
            _ => Text::Inline(result.stderr_raw),
        };
        Some(Self { object, stderr })
    }
}

/// What the action cache has for `key`; `None` also for what cannot be used.
pub(crate) async fn get(engine: &Engine, key: &Digest) -> Result<Option<ActionOutput>, RemoteError> {
    let request = api::GetActionResultRequest {
        instance_name: engine.instance.to_string(),
        action_digest: Some(api::digest(key)),
        inline_stderr: true,
        digest_function: api::DIGEST_FUNCTION,
        ..api::GetActionResultRequest::default()
    };
    let answer = engine.connection.try_call(u32::MAX, 0, "GetActionResult", |channel, envelope| {
        let request = envelope.request(request.clone(), Some(key));
        let mut client = ActionCacheClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        async move { client.get_action_result(request).await.map_err(absent) }
    });
    match answer.await? {
        Ok(result) => Ok(ActionOutput::read(result.into_inner())),
        // The second is an entry whose blobs have gone.
        Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition) => Ok(None),
        Err(status) => Err(engine.connection.refused("GetActionResult", &status)),
    }
}

/// Some servers have INTERNAL for a result that they do not have. A connection that breaks off may have it as well, with a cause.
fn absent(status: Status) -> Status {
    let is_the_servers = status.code() == Code::Internal && std::error::Error::source(&status).is_none();
    if is_the_servers { Status::not_found(status.message()) } else { status }
}

/// Leaves the result of a successful run for others.
pub(crate) async fn put(engine: &Engine, key: &Digest, object: &Digest, stderr: &Arc<[u8]>) -> Result<(), RemoteError> {
    let output = api::OutputFile {
        path: NATIVE_OBJECT_NAME.to_owned(),
        digest: Some(api::digest(object)),
        ..api::OutputFile::default()
    };
    let result = api::ActionResult {
        output_files: vec![output],
        stderr_raw: stderr.to_vec(),
        execution_metadata: Some(api::ExecutedActionMetadata {
            worker: WORKER.to_owned(),
            ..api::ExecutedActionMetadata::default()
        }),
        ..api::ActionResult::default()
    };
    let request = api::UpdateActionResultRequest {
        instance_name: engine.instance.to_string(),
        action_digest: Some(api::digest(key)),
        action_result: Some(result),
        digest_function: api::DIGEST_FUNCTION,
        ..api::UpdateActionResultRequest::default()
    };
    let answer = engine.connection.call("UpdateActionResult", |channel, envelope| {
        let request = envelope.request(request.clone(), Some(key));
        async move { ActionCacheClient::new(channel).update_action_result(request).await }
    });
    answer.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(exit_code: i32, path: &str, object: &[u8]) -> api::ActionResult {
        let digest = Some(api::digest(&Digest::of(object)));
        let output = api::OutputFile { path: path.into(), digest, ..api::OutputFile::default() };
        api::ActionResult { exit_code, output_files: vec![output], ..api::ActionResult::default() }
    }

    #[test]
    fn only_the_result_of_a_backend_that_succeeded_is_one() {
        assert!(ActionOutput::read(result(0, NATIVE_OBJECT_NAME, b"object")).is_some());
        assert!(ActionOutput::read(result(1, NATIVE_OBJECT_NAME, b"object")).is_none());
        assert!(ActionOutput::read(result(0, "other", b"object")).is_none());
        assert!(ActionOutput::read(result(0, NATIVE_OBJECT_NAME, b"")).is_none());
        assert!(ActionOutput::read(api::ActionResult::default()).is_none());
        let mut no_hash = result(0, NATIVE_OBJECT_NAME, b"object");
        no_hash.output_files[0].digest.as_mut().unwrap().hash = "../../etc/passwd".to_owned();
        assert!(ActionOutput::read(no_hash).is_none());
    }
}
