//! The API's methods over the store.

use super::store::{HOLD, Next, Store};
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::bytestream;
use std::sync::{Arc, Weak};
use tokio_stream::Iter;
use tonic::{Request, Response, Status, Streaming};

const ZSTD: i32 = api::compressor::Value::Zstd as i32;
const CHUNK: usize = 64 << 10;

/// Who can end the engine in the midst of a call.
pub(super) trait Power: std::fmt::Debug + Send + Sync {
    /// Ends every connection, at once.
    fn stop(&self);
    /// The same, and begins again on the same port as soon as that is free.
    fn restart(self: Arc<Self>);
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) store: Arc<Store>,
    pub(super) host: Weak<dyn Power>,
}

impl Service {
    /// Counts the call and fails it as is wanted.
    pub(super) async fn enter<T>(
        &self,
        method: &'static str,
        instance: &str,
        request: &Request<T>,
    ) -> Result<(), Status> {
        match self.store.called(method, instance, format!("{:?}", request.metadata()))? {
            Next::Answer => {
                if let Some(workers) = &self.store.workers {
                    tokio::time::sleep(workers.latency()).await;
                }
                return Ok(());
            }
            Next::Cut => self.host.upgrade().iter().for_each(|host| host.stop()),
            Next::Restart => self.host.upgrade().into_iter().for_each(|host| host.restart()),
            Next::Hang => {}
        }
        std::future::pending().await
    }
}

fn hash(digest: Option<&api::Digest>) -> String {
    digest.map(|digest| digest.hash.clone()).unwrap_or_default()
}

#[tonic::async_trait]
impl api::capabilities_server::Capabilities for Service {
    async fn get_capabilities(
        &self,
        request: Request<api::GetCapabilitiesRequest>,
    ) -> Result<Response<api::ServerCapabilities>, Status> {
        self.enter("GetCapabilities", &request.get_ref().instance_name, &request).await?;
        let offer = &self.store.offer;
        let compressors = if offer.zstd { vec![ZSTD] } else { Vec::new() };
        let cache = api::CacheCapabilities {
            digest_functions: offer.digest_functions.clone(),
            max_batch_total_size_bytes: offer.max_batch_bytes,
            supported_compressors: compressors.clone(),
            supported_batch_update_compressors: compressors,
            action_cache_update_capabilities: Some(api::ActionCacheUpdateCapabilities {
                update_enabled: offer.updates,
            }),
            ..api::CacheCapabilities::default()
        };
        let execution = api::ExecutionCapabilities {
            digest_function: 1,
            exec_enabled: offer.executes,
            ..api::ExecutionCapabilities::default()
        };
        Ok(Response::new(api::ServerCapabilities {
            cache_capabilities: Some(cache),
            execution_capabilities: Some(execution),
            ..api::ServerCapabilities::default()
        }))
    }
}

#[tonic::async_trait]
impl api::action_cache_server::ActionCache for Service {
    async fn get_action_result(
        &self,
        request: Request<api::GetActionResultRequest>,
    ) -> Result<Response<api::ActionResult>, Status> {
        self.enter("GetActionResult", &request.get_ref().instance_name, &request).await?;
        let number = self.store.calls("GetActionResult");
        while self.store.is_curious(number) {
            tokio::time::sleep(HOLD).await;
        }
        let result = self.store.result(&hash(request.get_ref().action_digest.as_ref()));
        result.map(Response::new).ok_or_else(|| Status::new(self.store.offer.absent_result, "no such result"))
    }

    async fn update_action_result(
        &self,
        request: Request<api::UpdateActionResultRequest>,
    ) -> Result<Response<api::ActionResult>, Status> {
        self.enter("UpdateActionResult", &request.get_ref().instance_name, &request).await?;
        if !self.store.offer.updates {
            return Err(Status::permission_denied("read only"));
        }
        let request = request.into_inner();
        let result = request.action_result.unwrap_or_default();
        self.store.put_result(hash(request.action_digest.as_ref()), result.clone())?;
        Ok(Response::new(result))
    }
}

#[tonic::async_trait]
impl api::content_addressable_storage_server::ContentAddressableStorage for Service {
    async fn find_missing_blobs(
        &self,
        request: Request<api::FindMissingBlobsRequest>,
    ) -> Result<Response<api::FindMissingBlobsResponse>, Status> {
        self.enter("FindMissingBlobs", &request.get_ref().instance_name, &request).await?;
        let mut missing = request.into_inner().blob_digests;
        missing.retain(|digest| !self.store.has(&digest.hash));
        Ok(Response::new(api::FindMissingBlobsResponse { missing_blob_digests: missing }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<api::BatchUpdateBlobsRequest>,
    ) -> Result<Response<api::BatchUpdateBlobsResponse>, Status> {
        self.enter("BatchUpdateBlobs", &request.get_ref().instance_name, &request).await?;
        let mut responses = Vec::new();
        for blob in request.into_inner().requests {
            let packed = blob.compressor == ZSTD;
            let bytes = if packed { zstd::decode_all(blob.data.as_slice())? } else { blob.data };
            self.store.put(&hash(blob.digest.as_ref()), bytes)?;
            responses.push(api::batch_update_blobs_response::Response { digest: blob.digest, status: None });
        }
        Ok(Response::new(api::BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<api::BatchReadBlobsRequest>,
    ) -> Result<Response<api::BatchReadBlobsResponse>, Status> {
        self.enter("BatchReadBlobs", &request.get_ref().instance_name, &request).await?;
        let request = request.into_inner();
        let packs = request.acceptable_compressors.contains(&ZSTD);
        let read = |digest: api::Digest| {
            let found = self.store.get(&digest.hash);
            let status =
                found.is_none().then(|| bazel_remote_apis::google::rpc::Status { code: 5, ..Default::default() });
            let data = found.unwrap_or_default();
            let (data, compressor) =
                if packs { (zstd::encode_all(data.as_slice(), 1).unwrap_or_default(), ZSTD) } else { (data, 0) };
            api::batch_read_blobs_response::Response { digest: Some(digest), data, compressor, status }
        };
        let responses = request.digests.into_iter().map(read).collect();
        Ok(Response::new(api::BatchReadBlobsResponse { responses }))
    }

    type GetTreeStream = Iter<std::vec::IntoIter<Result<api::GetTreeResponse, Status>>>;

    async fn get_tree(&self, _request: Request<api::GetTreeRequest>) -> Result<Response<Self::GetTreeStream>, Status> {
        Err(Status::unimplemented("no trees"))
    }

    async fn split_blob(
        &self,
        _request: Request<api::SplitBlobRequest>,
    ) -> Result<Response<api::SplitBlobResponse>, Status> {
        Err(Status::unimplemented("no parts"))
    }

    type GetChunkMappingStream = Iter<std::vec::IntoIter<Result<api::GetChunkMappingResponse, Status>>>;

    async fn get_chunk_mapping(
        &self,
        _request: Request<api::GetChunkMappingRequest>,
    ) -> Result<Response<Self::GetChunkMappingStream>, Status> {
        Err(Status::unimplemented("no parts"))
    }

    async fn register_chunk_mapping(
        &self,
        _request: Request<Streaming<api::RegisterChunkMappingRequest>>,
    ) -> Result<Response<api::RegisterChunkMappingResponse>, Status> {
        Err(Status::unimplemented("no parts"))
    }

    async fn splice_blob(
        &self,
        _request: Request<api::SpliceBlobRequest>,
    ) -> Result<Response<api::SpliceBlobResponse>, Status> {
        Err(Status::unimplemented("no parts"))
    }
}

/// `[INSTANCE/][uploads/UUID/]{blobs|compressed-blobs/zstd}/HASH/SIZE`
struct Resource<'a> {
    instance: &'a str,
    hash: &'a str,
    packed: bool,
}

impl<'a> Resource<'a> {
    fn read(name: &'a str) -> Result<Self, Status> {
        let bad = || Status::invalid_argument(format!("not a resource name: {name}"));
        let (before, _size) = name.rsplit_once('/').ok_or_else(bad)?;
        let (before, hash) = before.rsplit_once('/').ok_or_else(bad)?;
        let plain = before.strip_suffix("blobs").filter(|rest| !rest.ends_with('-'));
        let before = plain.or_else(|| before.strip_suffix("compressed-blobs/zstd")).ok_or_else(bad)?;
        let instance = before.split_once("uploads/").map_or(before, |(instance, _)| instance).trim_end_matches('/');
        Ok(Self { instance, hash, packed: plain.is_none() })
    }
}

#[tonic::async_trait]
impl bytestream::byte_stream_server::ByteStream for Service {
    type ReadStream = Iter<std::vec::IntoIter<Result<bytestream::ReadResponse, Status>>>;

    async fn read(&self, request: Request<bytestream::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let name = request.get_ref().resource_name.clone();
        let resource = Resource::read(&name)?;
        self.enter("Read", resource.instance, &request).await?;
        let bytes = self.store.get(resource.hash).ok_or_else(|| Status::not_found("no such blob"))?;
        let bytes = if resource.packed { zstd::encode_all(bytes.as_slice(), 1)? } else { bytes };
        let parts: Vec<_> =
            bytes.chunks(CHUNK).map(|data| Ok(bytestream::ReadResponse { data: data.to_vec() })).collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    async fn write(
        &self,
        request: Request<Streaming<bytestream::WriteRequest>>,
    ) -> Result<Response<bytestream::WriteResponse>, Status> {
        let headers = Request::from_parts(request.metadata().clone(), Default::default(), ());
        let mut stream = request.into_inner();
        let (mut bytes, mut name, mut finished) = (Vec::new(), String::new(), false);
        while let Some(part) = stream.message().await? {
            if name.is_empty() {
                name = part.resource_name;
            }
            if part.write_offset != i64::try_from(bytes.len()).unwrap_or(-1) {
                return Err(Status::invalid_argument("a gap in the stream"));
            }
            bytes.extend_from_slice(&part.data);
            finished |= part.finish_write;
        }
        let resource = Resource::read(&name)?;
        self.enter("Write", resource.instance, &headers).await?;
        if !finished {
            return Err(Status::invalid_argument("the stream was not finished"));
        }
        let bytes = if resource.packed { zstd::decode_all(bytes.as_slice())? } else { bytes };
        self.store.put(resource.hash, bytes)?;
        Ok(Response::new(bytestream::WriteResponse { committed_size: -1 }))
    }

    async fn query_write_status(
        &self,
        _request: Request<bytestream::QueryWriteStatusRequest>,
    ) -> Result<Response<bytestream::QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented("every write is a new one"))
    }
}
