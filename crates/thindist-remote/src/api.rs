//! The API's generated messages under short names, and conversions between thindist's digests and the API's.

pub(crate) use bazel_remote_apis::build::bazel::remote::execution::v2::*;
pub(crate) use bazel_remote_apis::google::bytestream;

/// SHA-256 is what all keys and stores here are made of.
pub(crate) const DIGEST_FUNCTION: i32 = digest_function::Value::Sha256 as i32;

pub(crate) fn digest(digest: &thindist_core::digest::Digest) -> Digest {
    // Blobs of 8 EiB do not exist.
    Digest { hash: digest.hex(), size_bytes: i64::try_from(digest.size()).unwrap_or(i64::MAX) }
}

/// `None`: not a SHA-256 digest.
pub(crate) fn parse_digest(digest: &Digest) -> Option<thindist_core::digest::Digest> {
    let hash = thindist_core::digest::parse_hash(&digest.hash)?;
    Some(thindist_core::digest::Digest::from_parts(hash, u64::try_from(digest.size_bytes).ok()?))
}
