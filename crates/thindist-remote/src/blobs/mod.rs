//! Blobs to and from an engine: small ones in batches, large ones as streams.
//!
//! Whatever arrives is hashed before anybody sees it.

mod batch;
mod compression;
mod stream;

use crate::api;
use crate::client::Engine;
use crate::error::RemoteError;
use api::content_addressable_storage_client::ContentAddressableStorageClient;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::digest::Digest;
use tokio::task::JoinSet;

/// The most digests in one question.
const FIND_MISSING: usize = 10_000;

/// A blob that was asked for.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// With the content of its digest.
    Good(Arc<[u8]>),
    /// The engine does not have it.
    Missing,
    /// The engine gave something else.
    Wrong,
}

impl Fetched {
    fn checked(digest: &Digest, bytes: Vec<u8>) -> Self {
        if Digest::of(&bytes) == *digest { Self::Good(bytes.into()) } else { Self::Wrong }
    }
}

/// A blob that the engine shall have.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    digest: Digest,
    content: Content,
}

/// Where its content is.
#[derive(Debug, Clone)]
enum Content {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

impl Upload {
    pub(crate) fn bytes(digest: Digest, bytes: Arc<[u8]>) -> Self {
        Self { digest, content: Content::Bytes(bytes) }
    }

    pub(crate) fn file(digest: Digest, path: PathBuf) -> Self {
        Self { digest, content: Content::File(path) }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The content, if it still is what the digest says.
    fn read(&self) -> Option<Vec<u8>> {
        let bytes = match &self.content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::File(path) => std::fs::read(path).ok()?,
        };
        (Digest::of(&bytes) == self.digest).then_some(bytes)
    }
}

/// Those of `digests` that the engine does not have.
pub(crate) async fn find_missing(engine: &Engine, digests: &[Digest]) -> Result<BTreeSet<Digest>, RemoteError> {
    let mut missing = BTreeSet::new();
    for part in digests.chunks(FIND_MISSING) {
        let request = api::FindMissingBlobsRequest {
            instance_name: engine.instance.to_string(),
            blob_digests: part.iter().map(api::digest).collect(),
            digest_function: api::DIGEST_FUNCTION,
        };
        let answer = engine.connection.call("FindMissingBlobs", |channel, envelope| {
            let request = envelope.request(request.clone(), None);
            async move { ContentAddressableStorageClient::new(channel).find_missing_blobs(request).await }
        });
        missing.extend(answer.await?.into_inner().missing_blob_digests.iter().filter_map(api::parse_digest));
    }
    Ok(missing)
}

/// Uploads those blobs that the engine does not have; says which they are.
pub(crate) async fn upload_missing(engine: &Engine, blobs: Vec<Upload>) -> Result<BTreeSet<Digest>, RemoteError> {
    // Each once, however many actions name it.
    let by_digest: BTreeMap<Digest, Upload> = blobs.into_iter().map(|blob| (blob.digest, blob)).collect();
    let digests: Vec<Digest> = by_digest.keys().copied().collect();
    let missing = find_missing(engine, &digests).await?;
    let blobs = by_digest.into_values().filter(|blob| missing.contains(&blob.digest)).collect();
    upload(engine, blobs).await?;
    Ok(missing)
}

/// Uploads blobs without asking first.
pub(crate) async fn upload(engine: &Engine, blobs: Vec<Upload>) -> Result<(), RemoteError> {
    let mut tasks = JoinSet::new();
    let (small, large) = batch::split(blobs, engine.capabilities.batch_bytes, |blob| blob.digest.size());
    for blobs in small {
        let engine = engine.clone();
        tasks.spawn(async move { batch::update(&engine, blobs).await });
    }
    for blob in large {
        let engine = engine.clone();
        tasks.spawn(async move { stream::write(&engine, &blob).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| panicked(engine, &error))??;
    }
    Ok(())
}

/// The blobs of `digests`, as far as the engine gave them, and why it did not give all.
pub(crate) async fn download(
    engine: &Engine,
    digests: BTreeSet<Digest>,
) -> (BTreeMap<Digest, Fetched>, Option<RemoteError>) {
    let mut tasks = JoinSet::new();
    let (small, large) = batch::split(digests.into_iter().collect(), engine.capabilities.batch_bytes, Digest::size);
    for digests in small {
        let engine = engine.clone();
        tasks.spawn(async move { batch::read(&engine, digests).await });
    }
    for digest in large {
        let engine = engine.clone();
        tasks.spawn(async move { Ok(vec![(digest, stream::read(&engine, &digest).await?)]) });
    }
    let (mut blobs, mut failed) = (BTreeMap::new(), None);
    while let Some(done) = tasks.join_next().await {
        match done.unwrap_or_else(|error| Err(panicked(engine, &error))) {
            Ok(some) => blobs.extend(some),
            Err(error) => failed = failed.filter(|first| !RemoteError::is_known(first)).or(Some(error)),
        }
    }
    (blobs, failed)
}

pub(crate) fn panicked(engine: &Engine, error: &tokio::task::JoinError) -> RemoteError {
    engine.connection.error(format!("internal error: {error}"))
}
