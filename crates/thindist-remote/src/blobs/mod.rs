//! Blobs to and from an engine: small ones in batches, large ones as streams.
//!
//! Whatever arrives is hashed before anybody sees it.

mod batch;
mod blob;
mod compression;
mod stream;

pub(crate) use blob::{Fetched, Upload};

use crate::api;
use crate::engine::Engine;
use crate::error::RemoteError;
use api::content_addressable_storage_client::ContentAddressableStorageClient;
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::digest::Digest;
use tokio::task::JoinSet;

/// The most digests in one question.
const FIND_MISSING: usize = 10_000;

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
    let by_digest: BTreeMap<Digest, Upload> = blobs.into_iter().map(|blob| (blob.digest(), blob)).collect();
    let digests: Vec<Digest> = by_digest.keys().copied().collect();
    let missing = find_missing(engine, &digests).await?;
    let blobs = by_digest.into_values().filter(|blob| missing.contains(&blob.digest())).collect();
    upload(engine, blobs).await?;
    Ok(missing)
}

/// Uploads blobs without asking first.
pub(crate) async fn upload(engine: &Engine, blobs: Vec<Upload>) -> Result<(), RemoteError> {
    let mut tasks = JoinSet::new();
    let (small, large) = batch::split(blobs, engine.capabilities.batch_bytes, |blob| blob.digest().size());
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
