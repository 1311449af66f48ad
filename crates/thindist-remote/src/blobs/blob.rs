//! One blob, on its way there or back.

use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::digest::Digest;

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
    pub(super) fn checked(digest: &Digest, bytes: Vec<u8>) -> Self {
        if Digest::of(&bytes) == *digest { Self::Good(bytes.into()) } else { Self::Wrong }
    }
}

/// A blob that the engine shall have.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(super) digest: Digest,
    pub(super) content: Content,
}

/// Where its content is.
#[derive(Debug, Clone)]
pub(super) enum Content {
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
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let bytes = match &self.content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::File(path) => std::fs::read(path).ok()?,
        };
        (Digest::of(&bytes) == self.digest).then_some(bytes)
    }
}
