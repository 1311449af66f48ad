//! The local action cache: from an action's key to the outputs of its successful run.
//!
//! Entries are serialized `ActionResult`s of the Remote Execution API. Truncation can leave valid protobuf that lacks
//! its last fields, so every entry of ours ends with `execution_metadata`, and one without it is dropped. An old reader
//! ignores fields that it does not know, as protobuf has it.

use crate::store::layout::{self, Layout, Store};
use crate::store::store_error::{IoContext as _, StoreError, if_present};
use crate::store::temporary::Temporary;
use prost::Message;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use thindist_core::digest::{Digest, parse_hash};

/// Field numbers are those of `build.bazel.remote.execution.v2`.
mod reapi {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ActionResult {
        #[prost(message, repeated, tag = "2")]
        pub(crate) output_files: Vec<OutputFile>,
        #[prost(int32, tag = "4")]
        pub(crate) exit_code: i32,
        #[prost(bytes = "vec", tag = "5")]
        pub(crate) stdout_raw: Vec<u8>,
        #[prost(bytes = "vec", tag = "7")]
        pub(crate) stderr_raw: Vec<u8>,
        #[prost(message, optional, tag = "9")]
        pub(crate) execution_metadata: Option<ExecutedActionMetadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct OutputFile {
        #[prost(string, tag = "1")]
        pub(crate) path: String,
        #[prost(message, optional, tag = "2")]
        pub(crate) digest: Option<Digest>,
        #[prost(bool, tag = "4")]
        pub(crate) is_executable: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Digest {
        #[prost(string, tag = "1")]
        pub(crate) hash: String,
        #[prost(int64, tag = "2")]
        pub(crate) size_bytes: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ExecutedActionMetadata {
        #[prost(string, tag = "1")]
        pub(crate) worker: String,
    }
}

/// Marks the end of an entry that was written whole.
const WORKER: &str = "thindist";

/// One output of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedOutput {
    /// Its path in the action's working directory.
    pub path: String,
    /// Its content in the CAS.
    pub digest: Digest,
    /// Whether it is executable.
    pub executable: bool,
}

/// What an action's successful run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CachedResult {
    /// The declared outputs.
    pub outputs: Vec<CachedOutput>,
    /// What the tool wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What the tool wrote to its standard error: warnings, to be shown again on a hit.
    pub stderr: Vec<u8>,
}

/// The local action cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ActionCache {
    layout: Arc<Layout>,
}

impl ActionCache {
    /// Opens the cache below `cache_root`, creating it if need be.
    pub fn open(cache_root: &Path) -> Result<Self, StoreError> {
        Ok(Self { layout: Arc::new(Layout::create(cache_root, Store::ActionCache)?) })
    }

    /// The result stored under `key`. An entry that cannot be decoded is removed and counts as absent.
    pub fn get(&self, key: &Digest) -> Result<Option<CachedResult>, StoreError> {
        let path = self.layout.path(Store::ActionCache, key);
        let Some(bytes) = if_present(fs::read(&path)).on("read", &path)? else {
            return Ok(None);
        };
        let result = decode(&bytes);
        if result.is_none() {
            layout::remove(&path)?;
        } else if let Ok(file) = File::open(&path) {
            layout::mark_used(&file);
        }
        Ok(result)
    }

    /// Whether it has no entry at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let directory = self.layout.root().join("ac");
        fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
    }

    /// Stores the result of a successful run under `key`, in place of an older one.
    pub fn put(&self, key: &Digest, result: &CachedResult) -> Result<(), StoreError> {
        let path = self.layout.path(Store::ActionCache, key);
        // Not synced: a put took 3.6 to 3.8 ms when it was. What a power failure leaves of an entry does not decode,
        // and only costs the look-up.
        Temporary::with_bytes(&self.layout.tmp(), &encode(result))?.publish_unsynced(&path)
    }

    /// Forgets the result of `key`.
    pub fn remove(&self, key: &Digest) -> Result<(), StoreError> {
        layout::remove(&self.layout.path(Store::ActionCache, key)).map(drop)
    }
}

fn encode(result: &CachedResult) -> Vec<u8> {
    let output = |output: &CachedOutput| reapi::OutputFile {
        path: output.path.clone(),
        digest: Some(reapi::Digest {
            hash: output.digest.hex(),
            // Files of 8 EiB do not exist.
            size_bytes: i64::try_from(output.digest.size()).unwrap_or(i64::MAX),
        }),
        is_executable: output.executable,
    };
    let message = reapi::ActionResult {
        output_files: result.outputs.iter().map(output).collect(),
        exit_code: 0,
        stdout_raw: result.stdout.clone(),
        stderr_raw: result.stderr.clone(),
        execution_metadata: Some(reapi::ExecutedActionMetadata { worker: WORKER.to_owned() }),
    };
    message.encode_to_vec()
}

/// `None` for whatever this version did not write, or not to the end.
pub(crate) fn decode(bytes: &[u8]) -> Option<CachedResult> {
    let message = reapi::ActionResult::decode(bytes).ok()?;
    let whole = message.execution_metadata.is_some_and(|metadata| metadata.worker == WORKER);
    if !whole || message.exit_code != 0 || message.output_files.is_empty() {
        return None;
    }
    let outputs = message.output_files.into_iter().map(decode_output).collect::<Option<Vec<_>>>()?;
    Some(CachedResult { outputs, stdout: message.stdout_raw, stderr: message.stderr_raw })
}

fn decode_output(file: reapi::OutputFile) -> Option<CachedOutput> {
    let digest = file.digest?;
    let digest = Digest::from_parts(parse_hash(&digest.hash)?, u64::try_from(digest.size_bytes).ok()?);
    Some(CachedOutput { path: file.path, digest, executable: file.is_executable })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> CachedResult {
        let digest = Digest::of(b"an object");
        let outputs = vec![CachedOutput { path: "module.thinlto-native.o".into(), digest, executable: false }];
        CachedResult { outputs, stdout: b"out".to_vec(), stderr: b"warning: odd".to_vec() }
    }

    fn fixture() -> (tempfile::TempDir, ActionCache, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let cache = ActionCache::open(root.path()).unwrap();
        let hex = key().hex();
        let path = root.path().join("ac").join(&hex[..2]).join(hex);
        (root, cache, path)
    }

    fn key() -> Digest {
        Digest::of(b"an action")
    }

    #[test]
    fn what_was_put_is_got_until_it_is_removed() {
        let (_root, cache, path) = fixture();
        assert_eq!(cache.get(&key()).unwrap(), None);
        cache.put(&key(), &sample()).unwrap();
        assert!(path.is_file());
        assert_eq!(cache.get(&key()).unwrap(), Some(sample()));
        cache.remove(&key()).unwrap();
        cache.remove(&key()).unwrap();
        assert_eq!(cache.get(&key()).unwrap(), None);
    }

    #[test]
    fn no_prefix_of_an_entry_is_an_entry() {
        let whole = encode(&sample());
        assert_eq!(decode(&whole), Some(sample()));
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None, "cut to {length} bytes");
        }
    }

    #[test]
    fn a_damaged_entry_is_dropped() {
        let (_root, cache, path) = fixture();
        for content in [&b""[..], b"\xff\xff\xff", &encode(&sample())[..20]] {
            cache.put(&key(), &sample()).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, content).unwrap();
            assert_eq!(cache.get(&key()).unwrap(), None);
            assert!(!path.exists());
        }
    }

    #[test]
    fn an_entry_is_the_apis_action_result() {
        // Field 2 (output_files), a message, whose field 1 is the path.
        let bytes = encode(&sample());
        assert_eq!(bytes[0], 2 << 3 | 2);
        assert_eq!(bytes[2], 1 << 3 | 2);
    }
}
