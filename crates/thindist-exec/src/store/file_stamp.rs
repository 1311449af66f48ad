//! What the file system says about a file without reading it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Two equal stamps of one path mean equal content, unless the file was written within the clock's resolution.
///
/// The inode tells a replaced file, ctime one whose mtime was set back (`touch -r`, `cp -p`, tar).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last write, nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Time of the last change of content or attributes, nanoseconds since 1970.
    pub ctime_ns: i128,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
}

impl FileStamp {
    /// The stamp of the file at `path`; symbolic links are followed, as the compiler will.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::of_metadata(&metadata))
    }

    /// The stamp in `metadata`.
    #[must_use]
    pub fn of_metadata(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self {
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// Whether a write after `moment` could have left this very stamp: git's "racy" rule.
    ///
    /// Kernel clocks tick at up to 10 ms, some file systems keep whole or even seconds: 2 s cover all of them.
    #[must_use]
    pub(crate) fn is_racy_at(&self, moment_ns: i128) -> bool {
        const RESOLUTION_NS: i128 = 2_000_000_000;
        self.mtime_ns.max(self.ctime_ns) >= moment_ns - RESOLUTION_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_racy_until_two_seconds_have_passed() {
        let stamp = |mtime_ns, ctime_ns| FileStamp { size: 1, mtime_ns, ctime_ns, inode: 1, device: 1 };
        let second = 1_000_000_000;
        assert!(stamp(10 * second, 10 * second).is_racy_at(10 * second));
        assert!(stamp(10 * second, 10 * second).is_racy_at(12 * second));
        assert!(!stamp(10 * second, 10 * second).is_racy_at(12 * second + 1));
        // mtime set back, or set to the future.
        assert!(stamp(0, 10 * second).is_racy_at(11 * second));
        assert!(stamp(20 * second, 0).is_racy_at(11 * second));
    }
}
