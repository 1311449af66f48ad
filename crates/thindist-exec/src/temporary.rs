//! A file that becomes visible only when it is complete: written in `tmp/`, synced, renamed into place.
//!
//! While it is being written its owner holds an flock on it. Whoever finds a temporary that can be locked has found what
//! a killed process left behind. (An age limit instead would remove the files of a suspended process.)

use crate::store_error::{IoContext as _, StoreError};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use tempfile::NamedTempFile;

/// Blobs share inodes with action roots and outputs; nobody may write them.
const READ_ONLY: u32 = 0o444;

#[derive(Debug)]
pub(crate) struct Temporary(NamedTempFile);

impl Temporary {
    /// Creates an empty temporary in `directory` and locks it.
    pub(crate) fn create(directory: &Path) -> Result<Self, StoreError> {
        loop {
            let file = tempfile::Builder::new().prefix("blob-").tempfile_in(directory).on("create", directory)?;
            if lock_mine(file.as_file()).on("lock", file.path())? {
                return Ok(Self(file));
            }
        }
    }

    pub(crate) fn with_bytes(directory: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut temporary = Self::create(directory)?;
        temporary.0.write_all(bytes).on("write", temporary.path())?;
        Ok(temporary)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Gives the file its name, once its content is durable; whatever had that name is replaced at one moment.
    pub(crate) fn publish(self, destination: &Path) -> Result<(), StoreError> {
        self.0.as_file().sync_data().on("write", destination)?;
        self.publish_unsynced(destination)
    }

    /// As [`Self::publish`], but a power failure soon after may leave the name with no or half a content.
    pub(crate) fn publish_unsynced(self, destination: &Path) -> Result<(), StoreError> {
        make_read_only(self.0.as_file()).on("write", destination)?;
        let renamed = with_parent(destination, || fs::rename(self.path(), destination));
        renamed.on("create", destination)?;
        // The name in tmp/ is gone; keeping says so to `tempfile`, which would try to remove it.
        let _ = self.0.keep();
        Ok(())
    }
}

/// Makes a finished file read-only and its content durable.
///
/// Without fdatasync a power failure can leave a renamed blob full of zeros. Reads would notice, but each such blob is
/// a backend to run again.
pub(crate) fn seal(file: &File) -> io::Result<()> {
    make_read_only(file)?;
    file.sync_data()
}

pub(crate) fn make_read_only(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(READ_ONLY))
}

/// Runs `create`, with the directory of `path` made first if it turns out to be missing.
pub(crate) fn with_parent<T>(path: &Path, create: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match (create(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            create()
        }
        (result, _) => result,
    }
}

/// Locks a file that was just created. `false`: a clean-up took it for a stale one before we had the lock.
///
/// File systems without flock give an error to the cleaner as well, which then removes nothing; so we go on without.
pub(crate) fn lock_mine(file: &File) -> io::Result<bool> {
    let _ = flock(file, FlockOperation::LockExclusive);
    Ok(file.metadata()?.nlink() > 0)
}

/// Whether the owner of this lock file is gone. The lock is ours until `file` is closed.
pub(crate) fn is_stale(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}
