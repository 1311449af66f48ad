//! Where short-lived files are created: in memory, if there is room.
//!
//! An action root is a directory, some symbolic links and one object, gone after a few milliseconds; a thin link leaves an
//! index for each module. On ext4 each of their inodes is looked for among those that were deleted in the last minutes: a
//! kernel's thousand backends spend 3 s in that, and a link that writes a thousand indexes half a second to one.

use crate::link_directory::LinkDirectory;
use crate::slots::make_private;
use crate::store_error::StoreError;
use std::path::{Path, PathBuf};

/// Where Linux has a file system in memory for all.
const SHARED_MEMORY: &str = "/dev/shm";

/// `f_type` of a file system in memory.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Objects of some tens of megabytes, times the processors. (A container has 64 MB there, which is not enough.)
const LEAST_FREE: u64 = 1 << 30;

/// A work space in `directory`, or in memory if none is named; `None` if there is no room for so many bytes.
pub fn create(directory: Option<&Path>, bytes: u64) -> Result<Option<LinkDirectory>, StoreError> {
    match directory {
        Some(directory) => make_private(directory).and_then(|()| LinkDirectory::create_in(directory)).map(Some),
        // Whatever keeps us from using it, there is another place.
        None => Ok(in_memory(bytes).and_then(|directory| LinkDirectory::create_in(&directory).ok())),
    }
}

fn in_memory(bytes: u64) -> Option<PathBuf> {
    let system = rustix::fs::statfs(SHARED_MEMORY).ok()?;
    let free = system.f_bavail.saturating_mul(u64::try_from(system.f_bsize).ok()?);
    if system.f_type != TMPFS_MAGIC || free < LEAST_FREE.max(bytes) {
        return None;
    }
    let directory = PathBuf::from(format!("{SHARED_MEMORY}/thindist-{}", rustix::process::getuid().as_raw()));
    make_private(&directory).ok()?;
    Some(directory)
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
        let system = rustix::fs::statfs(SHARED_MEMORY);
        let usable = system.is_ok_and(|system| {
            system.f_type == TMPFS_MAGIC && system.f_bavail * u64::try_from(system.f_bsize).unwrap() >= LEAST_FREE
        });
        let place = create(None, 0).unwrap();
        assert_eq!(place.is_some(), usable);
        assert!(place.is_none_or(|place| place.path().starts_with(SHARED_MEMORY)));
        assert!(create(None, u64::MAX).unwrap().is_none());
    }
}
