//! Machine-wide slots, shared by all thindist processes of one user.
//!
//! A slot is an flock on one of N files. The lock belongs to the open file, not to a process; the compiler inherits the
//! descriptor, so its slot stays taken for as long as it runs, even if thindist is killed. For the same reason a slot is
//! given back by closing the descriptor and never by LOCK_UN, which would take it from the compiler too.

use crate::cancel::CancelToken;
use crate::store::store_error::{IoContext as _, StoreError};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::getuid;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file lock cannot be waited for together with others. Backends take 20 ms and much more.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(10);

/// The slots of this machine.
#[derive(Debug, Clone)]
pub struct Slots {
    directory: PathBuf,
    count: usize,
}

/// The right to run one compiler; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    file: File,
}

impl AsFd for Slot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Slots {
    /// `count` slots in `directory`, by default `/tmp/thindist-slots-<uid>`. At least one.
    pub fn open(directory: Option<&Path>, count: usize) -> Result<Self, StoreError> {
        let directory = directory.map_or_else(default_directory, Path::to_owned);
        make_private(&directory)?;
        Ok(Self { directory, count: count.max(1) })
    }

    /// A slot if one is free now.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Slot> {
        (0..self.count).find_map(|number| self.try_lock(number))
    }

    /// Waits for a slot; `None` if cancelled.
    #[must_use]
    pub fn acquire(&self, cancel: &CancelToken) -> Option<Slot> {
        while !cancel.is_cancelled() {
            if let Some(slot) = self.try_acquire() {
                return Some(slot);
            }
            let _cancelled = cancel.wait(RETRY_AFTER);
        }
        None
    }

    /// A slot that has been given back: a process that another thread starts has it as well, from its fork to its exec.
    #[cfg(test)]
    pub(crate) fn acquire_soon(&self) -> Option<Slot> {
        let token = CancelToken::new();
        (0..1000).find_map(|_| {
            let slot = self.try_acquire();
            let _cancelled = slot.is_none() && token.wait(RETRY_AFTER);
            slot
        })
    }

    /// A file that cannot be opened is a slot that is never free; that none can is found out by whoever waits.
    fn try_lock(&self, number: usize) -> Option<Slot> {
        let path = self.directory.join(format!("slot-{number:04}"));
        let no_link = OFlags::NOFOLLOW.bits().cast_signed();
        // Each attempt has to open the file anew: two uses of one open file would share the lock.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_link);
        let file = options.open(path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Slot { file })
    }
}

fn default_directory() -> PathBuf {
    PathBuf::from(format!("/tmp/thindist-slots-{}", getuid().as_raw()))
}

/// Makes a directory that nobody else can look into, or makes sure that it is one.
pub(crate) fn make_private(directory: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).on("create", directory)?,
        _ => {}
    }
    let metadata = fs::symlink_metadata(directory).on("read", directory)?;
    match mistrust(&metadata) {
        Some(what) => Err(StoreError::Refused { path: directory.to_owned(), what }),
        None => Ok(()),
    }
}

/// In /tmp anybody can be first to make a directory. Somebody else's could make us wait for ever.
fn mistrust(metadata: &Metadata) -> Option<String> {
    if !metadata.is_dir() {
        Some("it is not a directory".to_owned())
    } else if metadata.uid() != getuid().as_raw() {
        Some(format!("it belongs to user {}", metadata.uid()))
    } else if metadata.mode() & 0o077 != 0 {
        Some(format!("others may use it (mode {:o})", metadata.mode() & 0o7777))
    } else {
        None
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
