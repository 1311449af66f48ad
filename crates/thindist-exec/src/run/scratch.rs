//! Where short-lived files are created: in memory, if there is room.
//!
//! An action root is a directory, some symbolic links and one object, gone after a few milliseconds; a thin link leaves an
//! index for each module. On ext4 each of their inodes is looked for among those that were deleted in the last minutes: a
//! kernel's thousand backends spend 3 s in that, and a link that writes a thousand indexes half a second to one.

use crate::limits::memory::available_kib;
use crate::limits::slots::make_private;
use crate::store::link_directory::{self, LinkDirectory};
use crate::store::store_error::{IoContext as _, StoreError};
use std::path::{Path, PathBuf};

/// Where Linux has a file system in memory for all.
const SHARED_MEMORY: &str = "/dev/shm";

/// `f_type` of a file system in memory.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Objects of some tens of megabytes, times the processors. (A container has 64 MB there, which is not enough.)
const LEAST_FREE: u64 = 1 << 30;

/// A work space in `directory`, or in memory if none is named; `None` if there is no room for so many bytes.
pub fn create(directory: Option<&Path>, bytes: u64) -> Result<Option<LinkDirectory>, StoreError> {
    let Some(directory) = directory else {
        // Whatever keeps us from using it, there is another place.
        return Ok(in_memory(bytes).and_then(|directory| LinkDirectory::create_in(&directory).ok()));
    };
    make_private(directory)?;
    // lld cleans the names of objects that it is given, and in what it shows they are looked for.
    let directory = directory.canonicalize().on("find", directory)?;
    LinkDirectory::create_in(&directory).map(Some)
}

fn in_memory(bytes: u64) -> Option<PathBuf> {
    let directory = PathBuf::from(format!("{SHARED_MEMORY}/thindist-{}", rustix::process::getuid().as_raw()));
    if rustix::fs::statfs(SHARED_MEMORY).ok()?.f_type != TMPFS_MAGIC {
        return None;
    }
    make_private(&directory).ok()?;
    // What killed links have left counts as taken otherwise.
    let _ = link_directory::sweep(&directory);
    let free = free_bytes(Path::new(SHARED_MEMORY))?;
    // The file system's own bound is half of the memory, whoever uses that.
    let available = available_kib().map_or(u64::MAX, |kib| kib.saturating_mul(1024));
    (free.min(available) >= LEAST_FREE.max(bytes)).then_some(directory)
}

/// What can still be written below a directory; 0 as well if no file can be created.
#[must_use]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let system = rustix::fs::statfs(directory).ok()?;
    // A file system without a bound on files says 0 of both.
    let has_no_inode = system.f_ffree == 0 && system.f_files > 0;
    let block = u64::try_from(system.f_bsize).ok()?;
    Some(if has_no_inode { 0 } else { system.f_bavail.saturating_mul(block) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_goes_with_its_owner_and_is_nobody_elses() {
        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("scratch");
        let place = create(Some(&named), 0).unwrap().expect("a named place is used");
        let path = place.path().to_owned();
        assert!(path.starts_with(&named) && path.is_dir());
        drop(place);
        assert!(!path.exists());
        fs::set_permissions(&named, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(create(Some(&named), 0), Err(StoreError::Refused { .. })));
    }

    #[test]
    fn memory_is_used_if_there_is_any() {
        let is_memory = rustix::fs::statfs(SHARED_MEMORY).is_ok_and(|system| system.f_type == TMPFS_MAGIC);
        let has_room = free_bytes(Path::new(SHARED_MEMORY)).is_some_and(|free| free >= LEAST_FREE);
        let usable = is_memory && has_room && available_kib().is_none_or(|kib| kib >= LEAST_FREE / 1024);
        let place = create(None, 0).unwrap();
        assert_eq!(place.is_some(), usable);
        assert!(place.is_none_or(|place| place.path().starts_with(SHARED_MEMORY)));
        assert!(create(None, u64::MAX).unwrap().is_none());
    }
}
