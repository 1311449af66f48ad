//! The layout below the cache root. It is Bazel's disk-cache layout, so that Bazel's tools can read a cache of
//! thindist.
//!
//! ```text
//! <root>/cas/ab/<64 hex>    blobs, by their own hash
//! <root>/ac/ab/<64 hex>     serialized ActionResults, by the hash of the action's key
//! <root>/tmp/               blobs being written; link-*: private space of running links
//! <root>/lld/                private caches of lld, one a link
//! <root>/last-gc            empty; its time is that of the last clean-up
//! <root>/what-ran.jsonl     what the last link ran; the program writes and reads it
//! <root>/state.sqlite       what may be lost: remembered digests, facts, estimates
//! ```

use crate::store::store_error::{IoContext as _, StoreError, if_present};
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use thindist_core::digest::{Digest, parse_hash};

/// Below a cache's root: what `thindist what-ran` shows. It is here to be removed with all else.
pub const WHAT_RAN: &str = "what-ran.jsonl";

/// How old a file's time of last use may be before a read refreshes it. Exact times would make each read a write.
const REFRESH_AFTER: Duration = Duration::from_secs(60 * 60);

/// The paths of one cache.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The two stores that hold named, immutable files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Cas,
    ActionCache,
}

impl Store {
    fn directory(self) -> &'static str {
        match self {
            Self::Cas => "cas",
            Self::ActionCache => "ac",
        }
    }
}

/// One file of a store, as found on disk.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) hash: [u8; 32],
    pub(crate) size: u64,
    pub(crate) used: SystemTime,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Creates the directories that every use of the cache needs.
    pub(crate) fn create(root: &Path, store: Store) -> Result<Self, StoreError> {
        let layout = Self::new(root);
        let directory = layout.root.join(store.directory());
        fs::create_dir_all(&directory).on("create", &directory)?;
        create_top(&layout.tmp())?;
        Ok(layout)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn path(&self, store: Store, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let fan_out = hex.get(..2).unwrap_or_default();
        self.root.join(store.directory()).join(fan_out).join(&hex)
    }

    /// Every file of `store`. Files with other names are not ours and are not touched.
    pub(crate) fn entries(&self, store: Store) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        for fan_out in list(&self.root.join(store.directory()))? {
            // Anything but a directory here is not ours either.
            if fan_out.is_dir() {
                found.extend(list(&fan_out)?.into_iter().filter_map(entry));
            }
        }
        Ok(found)
    }
}

/// Creates a directory, if it is not there, whose subdirectories have nothing to do with each other. ext4 then puts each of them where
/// there is room: beside their parent, it would look at each new file among the inodes that were freed there in the last minutes,
/// which links are full of (half a millisecond a file, and 0.04 ms elsewhere).
pub(crate) fn create_top(directory: &Path) -> Result<(), StoreError> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory).on("create", directory)?;
    // Other file systems know no such thing.
    let spread = |file: File| {
        let flags = rustix::fs::ioctl_getflags(&file)?;
        rustix::fs::ioctl_setflags(&file, flags | rustix::fs::IFlags::TOPDIR)
    };
    let _ = File::open(directory).map(spread);
    Ok(())
}

/// The paths in a directory; none if it is not there.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let Some(entries) = if_present(fs::read_dir(directory)).on("read", directory)? else {
        return Ok(Vec::new());
    };
    entries.map(|entry| Ok(entry.on("read", directory)?.path())).collect()
}

/// `None` for names that are not ours and for files that another process has removed in the meantime.
fn entry(path: PathBuf) -> Option<Entry> {
    let name = path.file_name()?.to_str()?;
    let hash = parse_hash(name)?;
    let fan_out = path.parent()?.file_name()?.to_str()?;
    let metadata = fs::symlink_metadata(&path).ok().filter(|metadata| metadata.is_file())?;
    let used = metadata.modified().ok()?;
    let size = metadata.len();
    name.starts_with(fan_out).then_some(Entry { path, hash, size, used })
}

/// Notes that a file was used, for LRU. A cache that we may only read keeps its times, so this cannot fail.
pub(crate) fn mark_used(file: &File) {
    let now = SystemTime::now();
    let fresh = |used: SystemTime| now.duration_since(used).is_ok_and(|age| age < REFRESH_AFTER);
    if !file.metadata().and_then(|metadata| metadata.modified()).is_ok_and(fresh) {
        let _ = file.set_times(FileTimes::new().set_modified(now));
    }
}

/// Removes a file; that another process was faster is as good.
pub(crate) fn remove(path: &Path) -> Result<bool, StoreError> {
    let removed: io::Result<Option<()>> = if_present(fs::remove_file(path));
    Ok(removed.on("remove", path)?.is_some())
}
