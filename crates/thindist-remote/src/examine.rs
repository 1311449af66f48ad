//! Whether a server keeps the rules of docs/remote.md, as far as a client can see.
//!
//! What it breaks is no error of a link: each of these is met with care elsewhere. But a user should know of it.

use crate::api;
use crate::blobs::{self, Fetched, Upload};
use crate::client::{Client, Engine};
use crate::error::RemoteError;
use crate::results;
use crate::retry;
use api::action_cache_client::ActionCacheClient;
use api::content_addressable_storage_client::ContentAddressableStorageClient;
use std::collections::BTreeSet;
use thindist_core::digest::Digest;
use tokio::time::timeout;
use tonic::{Code, Status};

/// More than any message may have.
const LARGE: usize = 5 << 20;

/// A rule of docs/remote.md that a server breaks.
#[derive(Debug)]
pub struct Broken {
    /// Its number there.
    pub rule: u8,
    /// What the server did.
    pub what: String,
}

impl Client {
    /// Leaves a few blobs at the server, if it takes any.
    pub fn examine(&self) -> Result<Vec<Broken>, RemoteError> {
        self.block_on(examine(self.engine()))
    }
}

async fn examine(engine: &Engine) -> Result<Vec<Broken>, RemoteError> {
    let mut broken = Vec::new();
    let mut note = |rule, what: Option<String>| broken.extend(what.map(|what| Broken { rule, what }));
    if engine.capabilities.may_update {
        let small = content(100);
        note(5, names_missing(engine, &small).await?);
        note(3, comes_back(engine, &small).await?);
        note(4, comes_back(engine, &content(LARGE)).await?);
        note(5, names_present(engine, &small).await?);
        note(6, refuses_other_content(engine).await);
        note(8, keeps_results(engine, &small).await);
    }
    note(7, knows_no_stranger(engine).await);
    Ok(broken)
}

/// Nobody has this yet, and no compressor makes it small.
fn content(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(retry::random().to_le_bytes());
    }
    bytes
}

async fn names_missing(engine: &Engine, content: &[u8]) -> Result<Option<String>, RemoteError> {
    let digest = Digest::of(content);
    let missing = blobs::find_missing(engine, &[digest]).await?;
    let what = format!("FindMissingBlobs: {digest}, which nobody has sent, is not missing");
    Ok((!missing.contains(&digest)).then_some(what))
}

async fn names_present(engine: &Engine, content: &[u8]) -> Result<Option<String>, RemoteError> {
    let digest = Digest::of(content);
    let missing = blobs::find_missing(engine, &[digest]).await?;
    Ok(missing.contains(&digest).then(|| format!("FindMissingBlobs: {digest}, which was just sent, is missing")))
}

async fn comes_back(engine: &Engine, content: &[u8]) -> Result<Option<String>, RemoteError> {
    let digest = Digest::of(content);
    blobs::upload(engine, vec![Upload::bytes(digest, content.into())]).await?;
    let (mut back, failed) = blobs::download(engine, BTreeSet::from([digest])).await;
    match (back.remove(&digest), failed) {
        (Some(Fetched::Good(_)), _) => Ok(None),
        (_, Some(error)) => Err(error),
        (Some(Fetched::Wrong), None) => Ok(Some(format!("{digest}, which was just sent, has another content"))),
        (Some(Fetched::Missing) | None, None) => Ok(Some(format!("{digest}, which was just sent, cannot be read"))),
    }
}

/// What a server says to a call that is made once, whatever that is.
async fn once<T>(engine: &Engine, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    timeout(engine.timeout(), call).await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")))
}

async fn refuses_other_content(engine: &Engine) -> Option<String> {
    let digest = Digest::of(&content(64));
    let blob = api::batch_update_blobs_request::Request {
        digest: Some(api::digest(&digest)),
        data: content(64),
        ..Default::default()
    };
    let request = api::BatchUpdateBlobsRequest {
        instance_name: engine.instance.to_string(),
        requests: vec![blob],
        digest_function: api::DIGEST_FUNCTION,
    };
    let (lease, envelope) = engine.connection.stream();
    let mut client = ContentAddressableStorageClient::new(lease.channel());
    let answer = once(engine, client.batch_update_blobs(envelope.request(request, None))).await.ok()?.into_inner();
    let taken = answer.responses.iter().all(|one| one.status.as_ref().is_none_or(|status| status.code == 0));
    taken.then(|| format!("BatchUpdateBlobs: it takes another content for {digest}"))
}

/// Of an action that nobody has, so that nobody meets it.
async fn keeps_results(engine: &Engine, object: &[u8]) -> Option<String> {
    let (key, object) = (Digest::of(&content(64)), Digest::of(object));
    if let Err(error) = results::put(engine, &key, &object, &[].into()).await {
        return Some(error.to_string());
    }
    match results::get(engine, &key).await {
        Ok(Some(found)) if found.object == object => None,
        Ok(_) => Some("GetActionResult: a result that was just stored is missing".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

async fn knows_no_stranger(engine: &Engine) -> Option<String> {
    let request = api::GetActionResultRequest {
        instance_name: engine.instance.to_string(),
        action_digest: Some(api::digest(&Digest::of(&content(64)))),
        digest_function: api::DIGEST_FUNCTION,
        ..api::GetActionResultRequest::default()
    };
    let (lease, envelope) = engine.connection.stream();
    let mut client = ActionCacheClient::new(lease.channel());
    match once(engine, client.get_action_result(envelope.request(request, None))).await {
        Err(status) if status.code() == Code::NotFound => None,
        Err(status) => Some(engine.connection.refused("GetActionResult of an unknown action", &status).to_string()),
        Ok(_) => Some("GetActionResult: it has a result of an action that nobody has sent".to_owned()),
    }
}
