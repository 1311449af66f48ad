//! One large blob as a stream of chunks.

use super::blob::{Content, Fetched, Upload};
use super::compression;
use crate::api::bytestream::byte_stream_client::ByteStreamClient;
use crate::api::bytestream::{ReadRequest, WriteRequest};
use crate::connection::{MAX_MESSAGE, uuid};
use crate::engine::Engine;
use crate::error::RemoteError;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use thindist_core::digest::{Digest, Hasher};
use tonic::{Code, Status};

/// Larger chunks come close to the limit of a message and are not faster.
const CHUNK: usize = 1 << 20;

/// `INSTANCE/…`, or only `…` of the instance without a name.
fn resource(engine: &Engine, rest: &str) -> String {
    if engine.instance.is_empty() { rest.to_owned() } else { format!("{}/{rest}", engine.instance) }
}

fn kind(zstd: bool) -> &'static str {
    if zstd { "compressed-blobs/zstd" } else { "blobs" }
}

/// Reads a blob and checks it against its digest.
pub(super) async fn read(engine: &Engine, digest: &Digest) -> Result<Fetched, RemoteError> {
    let zstd = engine.capabilities.zstd_streams;
    let resource_name = resource(engine, &format!("{}/{digest}", kind(zstd)));
    // What is compressed may be a little larger than its content.
    let most = usize::try_from(digest.size()).unwrap_or(usize::MAX).saturating_add(CHUNK);
    let answer = engine.connection.try_call(u32::MAX, digest.size(), "ByteStream.Read", |channel, envelope| {
        let request = ReadRequest { resource_name: resource_name.clone(), read_offset: 0, read_limit: 0 };
        let request = envelope.request(request, None);
        async move {
            let mut client = ByteStreamClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
            let mut stream = client.read(request).await?.into_inner();
            let mut bytes = Vec::new();
            while let Some(part) = stream.message().await? {
                bytes.extend_from_slice(&part.data);
                if bytes.len() > most {
                    return Err(Status::data_loss("longer than its digest says"));
                }
            }
            Ok(bytes)
        }
    });
    let bytes = match answer.await? {
        Ok(bytes) => bytes,
        Err(status) if status.code() == Code::DataLoss => return Ok(Fetched::Wrong),
        Err(_) => return Ok(Fetched::Missing),
    };
    let content = if zstd { compression::decompress(&bytes, digest.size()) } else { Some(bytes) };
    Ok(content.map_or(Fetched::Wrong, |bytes| Fetched::checked(digest, bytes)))
}

/// Writes a blob. The server's count of bytes tells nothing: it may be of either form, or -1.
pub(super) async fn write(engine: &Engine, blob: &Upload) -> Result<(), RemoteError> {
    let zstd = engine.capabilities.zstd_streams;
    let answer = engine.connection.try_call(u32::MAX, blob.digest.size(), "ByteStream.Write", |channel, envelope| {
        let name = resource(engine, &format!("uploads/{}/{}/{}", uuid(), kind(zstd), blob.digest));
        let chunks = Chunks::open(blob, name, zstd);
        async move {
            let chunks = chunks.map_err(|error| Status::failed_precondition(format!("cannot read it: {error}")))?;
            let request = envelope.request(tokio_stream::iter(chunks), None);
            ByteStreamClient::new(channel).write(request).await.map(drop)
        }
    });
    answer.await?.map_err(|status| engine.connection.refused("ByteStream.Write", &status))
}

/// The messages of one upload.
struct Chunks {
    reader: Box<dyn Read + Send>,
    name: String,
    offset: usize,
    next: Option<Vec<u8>>,
}

impl Chunks {
    fn open(blob: &Upload, name: String, zstd: bool) -> io::Result<Self> {
        let reader: Box<dyn Read + Send> = match &blob.content {
            Content::Bytes(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            Content::File(path) => Box::new(Checked::new(File::open(path)?, blob.digest)),
        };
        let mut reader = if zstd { compression::compressing(reader)? } else { reader };
        let next = Some(chunk(&mut reader)?);
        Ok(Self { reader, name, offset: 0, next })
    }
}

impl Iterator for Chunks {
    type Item = WriteRequest;

    /// A file that cannot be read to its end, or has become another, ends the stream without its last message: the server
    /// then has no blob.
    fn next(&mut self) -> Option<WriteRequest> {
        let data = self.next.take()?;
        let following = chunk(&mut self.reader).ok()?;
        let finish_write = following.is_empty();
        if !finish_write {
            self.next = Some(following);
        }
        let write_offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        self.offset += data.len();
        Some(WriteRequest { resource_name: std::mem::take(&mut self.name), write_offset, finish_write, data })
    }
}

fn chunk(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(CHUNK as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that must have the content of its digest when its end is reached.
struct Checked {
    file: File,
    /// `None` once the end has been reached and was right.
    hasher: Option<Hasher>,
    digest: Digest,
}

impl Checked {
    fn new(file: File, digest: Digest) -> Self {
        Self { file, hasher: Some(Hasher::default()), digest }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut hasher) = self.hasher.take() else { return Ok(0) };
        let count = self.file.read(buffer)?;
        hasher.update(buffer.get(..count).unwrap_or_default());
        if count > 0 {
            self.hasher = Some(hasher);
        } else if hasher.finish() != self.digest {
            return Err(io::Error::other("its content has changed"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(content: &[u8], digest: Digest) -> Vec<(i64, usize, bool)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let chunks = Chunks::open(&Upload::file(digest, file.path().to_owned()), "name".into(), false).unwrap();
        chunks.map(|chunk| (chunk.write_offset, chunk.data.len(), chunk.finish_write)).collect()
    }

    #[test]
    fn a_file_is_sent_whole_and_finished_only_if_it_is_what_it_was() {
        let content = vec![5; CHUNK * 2 + 7];
        let sent = chunks(&content, Digest::of(&content));
        assert_eq!(sent, [(0, CHUNK, false), (1 << 20, CHUNK, false), (2 << 20, 7, true)]);
        assert_eq!(chunks(b"", Digest::of(b"")), [(0, 0, true)]);
        assert!(chunks(&content, Digest::of(b"something else")).iter().all(|(.., finished)| !finished));
    }
}
