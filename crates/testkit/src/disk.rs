//! A file system that fills up soon.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs of a few KiB, unmounted when dropped. Needs the right to mount.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of `kib` KiB at `path`, which is created.
    #[must_use]
    pub fn mount(path: &Path, kib: u64) -> Self {
        std::fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        mount(&["-t", "tmpfs", "-o", &format!("size={kib}k,mode=755"), "thindist-test"], path);
        Self(path.to_owned())
    }

    /// Gives it another size.
    pub fn resize(&self, kib: u64) {
        mount(&["-o", &format!("remount,size={kib}k")], &self.0);
    }
}

pub(crate) fn mount(arguments: &[&str], path: &Path) {
    let output = Command::new("mount").args(arguments).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs mount (Debian: mount): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test mounts a file system, which needs root (or CAP_SYS_ADMIN): {said}");
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failing test may have left something running in it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
