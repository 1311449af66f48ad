//! Many small blobs in one message.

use super::blob::{Fetched, Upload};
use super::compression;
use crate::api;
use crate::connection::MAX_MESSAGE;
use crate::engine::Engine;
use crate::error::RemoteError;
use api::batch_update_blobs_request::Request as UpdateRequest;
use api::compressor::Value::{Identity, Zstd};
use api::content_addressable_storage_client::ContentAddressableStorageClient;
use std::collections::BTreeMap;
use thindist_core::digest::Digest;
use tonic::Code;

/// The most blobs in one batch.
const MOST: usize = 4_000;
/// What a blob takes in a message beside its content: two digests and a status.
const OVERHEAD: u64 = 256;

/// Batches of at most `limit` bytes, and what is too large for any.
pub(super) fn split<T>(blobs: Vec<T>, limit: u64, size: impl Fn(&T) -> u64) -> (Vec<Vec<T>>, Vec<T>) {
    let (mut batches, mut large, mut left): (Vec<Vec<T>>, _, _) = (Vec::new(), Vec::new(), 0);
    for blob in blobs {
        let size = size(&blob).saturating_add(OVERHEAD);
        match batches.last_mut() {
            _ if size > limit => large.push(blob),
            Some(batch) if size <= left && batch.len() < MOST => {
                left -= size;
                batch.push(blob);
            }
            _ => {
                left = limit - size;
                batches.push(vec![blob]);
            }
        }
    }
    (batches, large)
}

/// Reads blobs; each is checked against its digest.
pub(super) async fn read(engine: &Engine, digests: Vec<Digest>) -> Result<Vec<(Digest, Fetched)>, RemoteError> {
    let compressors = if engine.capabilities.zstd_streams { vec![Identity as i32, Zstd as i32] } else { Vec::new() };
    let request = api::BatchReadBlobsRequest {
        instance_name: engine.instance.to_string(),
        digests: digests.iter().map(api::digest).collect(),
        acceptable_compressors: compressors,
        digest_function: api::DIGEST_FUNCTION,
    };
    let answer = engine.connection.call("BatchReadBlobs", |channel, envelope| {
        let request = envelope.request(request.clone(), None);
        let mut client = ContentAddressableStorageClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        async move {
            let answer = client.batch_read_blobs(request).await?.into_inner();
            expect_passed(answer.responses.iter().filter_map(|one| one.status.as_ref()))?;
            Ok(answer)
        }
    });
    let mut found: BTreeMap<Digest, Fetched> = answer.await?.responses.into_iter().filter_map(fetched).collect();
    // A server may leave out what it does not have.
    let take = |digest: Digest| (digest, found.remove(&digest).unwrap_or(Fetched::Missing));
    Ok(digests.into_iter().map(take).collect())
}

fn fetched(response: api::batch_read_blobs_response::Response) -> Option<(Digest, Fetched)> {
    let digest = response.digest.as_ref().and_then(api::parse_digest)?;
    if response.status.is_some_and(|status| status.code != Code::Ok as i32) {
        return Some((digest, Fetched::Missing));
    }
    let bytes = match response.compressor {
        compressor if compressor == Zstd as i32 => compression::decompress(&response.data, digest.size()),
        _ => Some(response.data),
    };
    Some((digest, bytes.map_or(Fetched::Wrong, |bytes| Fetched::checked(&digest, bytes))))
}

/// Writes blobs. One that has another content by now is left out: what is said of it afterwards will be that it is missing.
pub(super) async fn update(engine: &Engine, blobs: Vec<Upload>) -> Result<(), RemoteError> {
    let requests: Vec<UpdateRequest> =
        blobs.iter().filter_map(|blob| update_request(blob, engine.capabilities.zstd_updates)).collect();
    let request = api::BatchUpdateBlobsRequest {
        instance_name: engine.instance.to_string(),
        requests,
        digest_function: api::DIGEST_FUNCTION,
    };
    let answer = engine.connection.call("BatchUpdateBlobs", |channel, envelope| {
        let request = envelope.request(request.clone(), None);
        async move {
            let answer = ContentAddressableStorageClient::new(channel).batch_update_blobs(request).await?.into_inner();
            expect_passed(answer.responses.iter().filter_map(|one| one.status.as_ref()))?;
            Ok(answer)
        }
    });
    let refused = answer.await?.responses.into_iter().filter_map(|one| one.status).find(|status| status.code != 0);
    refused.map_or(Ok(()), |status| Err(engine.connection.error(format!("BatchUpdateBlobs: {}", status.message))))
}

fn update_request(blob: &Upload, zstd: bool) -> Option<UpdateRequest> {
    let bytes = blob.read()?;
    let digest = Some(api::digest(&blob.digest));
    match compression::compress(&bytes).filter(|packed| zstd && packed.len() < bytes.len()) {
        Some(data) => Some(UpdateRequest { digest, data, compressor: Zstd as i32 }),
        None => Some(UpdateRequest { digest, data: bytes, compressor: Identity as i32 }),
    }
}

/// A batch in which something failed that may pass is repeated as a whole.
fn expect_passed<'a>(
    mut statuses: impl Iterator<Item = &'a bazel_remote_apis::google::rpc::Status>,
) -> Result<(), tonic::Status> {
    match statuses.find(|status| crate::retry::may_pass(Code::from(status.code))) {
        Some(status) => Err(tonic::Status::new(Code::from(status.code), status.message.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_fit_and_nothing_is_lost() {
        let sizes: Vec<u64> = vec![100, 2000, 100, 700, 744, 745, 3, 0];
        let (batches, large) = split(sizes.clone(), 1000, |size| *size);
        assert_eq!(large, [2000, 745]);
        assert!(
            batches.iter().all(|batch| batch.iter().map(|size| size + OVERHEAD).sum::<u64>() <= 1000),
            "{batches:?}"
        );
        assert_eq!(batches.concat(), [100, 100, 700, 744, 3, 0]);
        let (batches, _) = split(vec![0_u64; 9000], u64::MAX, |size| *size);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4000, 4000, 1000]);
    }
}
