//! The private working directory of one link, inside the cache so that renames and hard links work.

use crate::layout::{self, Layout, Store};
use crate::store_error::{IoContext as _, StoreError};
use crate::temporary::{is_stale, lock_mine};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "link-";
const LOCK_NAME: &str = "lock";

/// A link directory without a lock file was made a moment ago, or its maker died in that moment.
const UNLOCKED_IS_STALE_AFTER: Duration = Duration::from_secs(60 * 60);

/// `<root>/tmp/link-<random>`: removed with all its content when dropped.
///
/// A lock file inside is held for as long as its owner lives, so that what a killed process left behind can be told from
/// the space of a running link.
#[derive(Debug)]
pub struct LinkDirectory {
    directory: TempDir,
    _lock: File,
}

impl LinkDirectory {
    /// Makes a new one, and sweeps those of dead processes away.
    pub fn create(cache_root: &Path) -> Result<Self, StoreError> {
        Self::create_in(&Layout::create(cache_root, Store::Cas)?.tmp())
    }

    /// The same anywhere.
    pub(crate) fn create_in(tmp: &Path) -> Result<Self, StoreError> {
        // What cannot be swept is not in our way.
        let _ = sweep(tmp);
        loop {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(tmp).on("create", tmp)?;
            let path = directory.path().join(LOCK_NAME);
            let lock = File::create_new(&path).on("create", &path)?;
            if lock_mine(&lock).on("lock", &path)? {
                return Ok(Self { directory, _lock: lock });
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the link directories in `tmp` whose owners are gone; says how many.
pub(crate) fn sweep(tmp: &Path) -> Result<u64, StoreError> {
    let mut swept = 0;
    for path in layout::list(tmp)? {
        if is_link_directory(&path) && sweep_one(&path).unwrap_or(false) {
            swept += 1;
        }
    }
    Ok(swept)
}

pub(crate) fn is_link_directory(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

fn sweep_one(directory: &Path) -> io::Result<bool> {
    match File::open(directory.join(LOCK_NAME)) {
        Ok(lock) if is_stale(&lock) => remove_locked(directory).map(|()| true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove_unlocked(directory),
        Err(error) => Err(error),
    }
}

/// The lock file goes last: an interrupted sweep must leave what the next one recognises.
fn remove_locked(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == LOCK_NAME {
            continue;
        }
        remove_any(&entry.path(), entry.file_type()?.is_dir())?;
    }
    fs::remove_file(directory.join(LOCK_NAME))?;
    fs::remove_dir(directory)
}

fn remove_any(path: &PathBuf, is_directory: bool) -> io::Result<()> {
    if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn remove_unlocked(directory: &Path) -> io::Result<bool> {
    let age = fs::symlink_metadata(directory)?.modified()?.elapsed().unwrap_or_default();
    if age < UNLOCKED_IS_STALE_AFTER {
        return Ok(false);
    }
    fs::remove_dir(directory).map(|()| true)
}
