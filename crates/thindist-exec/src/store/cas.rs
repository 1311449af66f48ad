//! The local content-addressed store: plain files named by the SHA-256 of their content.
//!
//! A blob is visible only whole, never changes and may vanish at any moment (clean-up, another user). So absence is an
//! answer, every read verifies, and a blob that fails is removed and counts as absent.

use crate::store::layout::{self, Layout, Store};
use crate::store::store_error::{IoContext as _, StoreError, if_present};
use crate::store::temporary::{self, Temporary};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thindist_core::digest::{Digest, Hasher};

/// Larger reads do not hash faster; smaller ones cost system calls.
const BUFFER: u64 = 1 << 20;

/// The local content-addressed store of one cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cas {
    layout: Arc<Layout>,
}

impl Cas {
    /// Opens the store below `cache_root`, creating it if need be.
    pub fn open(cache_root: &Path) -> Result<Self, StoreError> {
        Ok(Self { layout: Arc::new(Layout::create(cache_root, Store::Cas)?) })
    }

    /// Stores `bytes`.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if !self.has_good(&digest)? {
            Temporary::with_bytes(&self.layout.tmp(), bytes)?.publish(&self.path(&digest))?;
        }
        Ok(digest)
    }

    /// Stores `bytes` whose digest the caller has checked, and which can be had again: not synced, so that many are quick. What
    /// a power failure leaves of a blob is found out when it is read.
    pub fn put_fetched(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        Temporary::with_bytes(&self.layout.tmp(), bytes)?.publish_unsynced(&self.path(digest))
    }

    /// Stores a copy of a file that the caller keeps.
    pub fn put_file(&self, path: &Path) -> Result<Digest, StoreError> {
        let mut copy = Temporary::create(&self.layout.tmp())?;
        let mut source = File::open(path).on("read", path)?;
        // Between two files the standard library uses copy_file_range, which shares blocks where the file system can.
        io::copy(&mut source, copy.file()).on("write", copy.path())?;
        // The copy is what is hashed: the caller's file may change meanwhile.
        let digest = digest_path(copy.path())?;
        if !self.has_good(&digest)? {
            copy.publish(&self.path(&digest))?;
        }
        Ok(digest)
    }

    /// Moves a file of the caller's own into the store; it has mode 0444 then. Copied if on another file system.
    ///
    /// The file must not be open for writing anywhere. Its old name is gone afterwards.
    pub fn adopt_file(&self, path: &Path) -> Result<Digest, StoreError> {
        let digest = digest_path(path)?;
        self.adopt_known(path, digest)
    }

    /// As [`Self::adopt_file`] for content whose digest is known already.
    pub(crate) fn adopt_known(&self, path: &Path, digest: Digest) -> Result<Digest, StoreError> {
        if self.has_good(&digest)? || self.rename_in(path, &digest)? {
            layout::remove(path)?;
            return Ok(digest);
        }
        let digest = self.put_file(path)?;
        layout::remove(path)?;
        Ok(digest)
    }

    /// Stores a file that nobody writes to any more and that keeps its name: a hard link where there can be one. Read-only then,
    /// and not synced: what a power failure leaves of a blob is found out when it is read.
    pub fn share_file(&self, path: &Path, digest: &Digest) -> Result<(), StoreError> {
        if self.has_good(digest)? {
            return Ok(());
        }
        let file = File::open(path).on("read", path)?;
        temporary::make_read_only(&file).on("write", path)?;
        let blob = self.path(digest);
        match temporary::with_parent(&blob, || fs::hard_link(path, &blob)) {
            // Another link has stored the same since we looked.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if no_hard_link(&error) => self.put_fetched(digest, &fs::read(path).on("read", path)?),
            linked => linked.on("create", &blob),
        }
    }

    /// `false`: another file system.
    fn rename_in(&self, path: &Path, digest: &Digest) -> Result<bool, StoreError> {
        let file = File::open(path).on("read", path)?;
        temporary::seal(&file).on("write", path)?;
        let blob = self.path(digest);
        match temporary::with_parent(&blob, || fs::rename(path, &blob)) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(false),
            renamed => renamed.map(|()| true).on("create", &blob),
        }
    }

    /// The blob's content, verified. `None`: not there, or damaged and therefore removed.
    pub fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        let Some(mut file) = if_present(File::open(&path)).on("read", &path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).on("read", &path)?;
        let good = self.keep_if(Digest::of(&bytes) == *digest, &path, &file)?;
        Ok(good.then_some(bytes))
    }

    /// Makes `destination` a hard link to the verified blob, or a copy where there can be none. `false`: no such blob.
    ///
    /// The link is read-only and shares the blob's inode: replace it, never write to it.
    pub fn link_to(&self, digest: &Digest, destination: &Path) -> Result<bool, StoreError> {
        if !self.has_good(digest)? {
            return Ok(false);
        }
        match fs::hard_link(self.path(digest), destination) {
            Ok(()) => Ok(true),
            Err(error) if no_hard_link(&error) => self.copy_to(digest, destination),
            // A clean-up may have been here since the look; a missing directory is the caller's error.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.contains(digest) => Ok(false),
            Err(error) => Err(error).on("create", destination),
        }
    }

    /// As [`Self::link_to`] of a blob that this process has verified a moment ago: it is not read again.
    pub fn link_verified(&self, digest: &Digest, destination: &Path) -> Result<bool, StoreError> {
        match fs::hard_link(self.path(digest), destination) {
            Ok(()) => Ok(true),
            // Gone, or no link can be made of it.
            Err(_) => self.link_to(digest, destination),
        }
    }

    /// Writes a private, writable copy of the verified blob to the new file `destination`. `false`: no such blob.
    pub fn copy_to(&self, digest: &Digest, destination: &Path) -> Result<bool, StoreError> {
        let path = self.path(digest);
        let Some(mut blob) = if_present(File::open(&path)).on("read", &path)? else { return Ok(false) };
        // Never through an existing name: it could be a link to a blob.
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).open(destination).on("create", destination)?;
        // As in `put_file`, and the copy is what is verified: an output of hundreds of megabytes never passes through our memory.
        io::copy(&mut blob, &mut file).on("write", destination)?;
        file.rewind().on("read", destination)?;
        let found = digest_reader(&mut file, digest.size()).on("read", destination)?;
        let is_good = self.keep_if(found == *digest, &path, &blob)?;
        if !is_good {
            layout::remove(destination)?;
        }
        Ok(is_good)
    }

    /// Whether a blob of this name and size is there. Not verified; the answer may be old when it arrives.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        fs::symlink_metadata(self.path(digest)).is_ok_and(|metadata| metadata.len() == digest.size())
    }

    /// Whether the verified blob is there; damaged ones are removed. Counts as a use.
    pub fn has_good(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.path(digest);
        let Some(mut file) = if_present(File::open(&path)).on("read", &path)? else {
            return Ok(false);
        };
        let found = digest_reader(&mut file, digest.size()).on("read", &path)?;
        self.keep_if(found == *digest, &path, &file)
    }

    fn keep_if(&self, good: bool, path: &Path, file: &File) -> Result<bool, StoreError> {
        if good {
            layout::mark_used(file);
        } else {
            layout::remove(path)?;
        }
        Ok(good)
    }

    /// Where the blob is, if it is there. Not to be written to.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.layout.path(Store::Cas, digest)
    }
}

/// The reasons for which a hard link is impossible although a copy is not.
fn no_hard_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}

/// The digest of a file's content.
pub(crate) fn digest_path(path: &Path) -> Result<Digest, StoreError> {
    let mut file = File::open(path).on("read", path)?;
    let expected = file.metadata().on("read", path)?.len();
    digest_reader(&mut file, expected).on("read", path)
}

/// The digest of all that `reader` gives; `expected` is a hint at its size.
pub(crate) fn digest_reader(reader: &mut impl Read, expected: u64) -> io::Result<Digest> {
    let size = usize::try_from((expected + 1).min(BUFFER)).unwrap_or(4096);
    let mut buffer = vec![0; size];
    let mut hasher = Hasher::default();
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[path = "cas_tests.rs"]
mod tests;
