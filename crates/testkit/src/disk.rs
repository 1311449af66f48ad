//! File systems that a test mounts: one that fills up soon, and one laid over another.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs of a few KiB, unmounted when dropped. Needs the right to mount.
#[derive(Debug)]
pub struct SmallDisk(Mount);

impl SmallDisk {
    /// Mounts one of `kib` KiB at `path`, which is created.
    #[must_use]
    pub fn mount(path: &Path, kib: u64) -> Self {
        std::fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(Mount::at(path, &["-t", "tmpfs", "-o", &format!("size={kib}k,mode=755"), "thindist-test"]))
    }

    /// Gives it another size.
    pub fn resize(&self, kib: u64) {
        mount(&["-o", &format!("remount,size={kib}k")], &self.0.0);
    }
}

/// A directory on an overlay, as containers have them, unmounted when dropped. Needs root.
#[derive(Debug)]
pub struct Overlay {
    _mount: Mount,
}

impl Overlay {
    /// Lays one over `directory`, where that is: what is in it is the lower layer. `layers` gets the upper one.
    ///
    /// # Panics
    ///
    /// If it cannot be mounted.
    #[must_use]
    pub fn over(directory: &Path, layers: &Path) -> Self {
        let (upper, work) = (layers.join("upper"), layers.join("work"));
        for layer in [&upper, &work] {
            std::fs::create_dir_all(layer).unwrap_or_else(|error| panic!("{}: {error}", layer.display()));
        }
        let lower = directory.display();
        let options = format!("lowerdir={lower},upperdir={},workdir={}", upper.display(), work.display());
        Self { _mount: Mount::at(directory, &["-t", "overlay", "-o", &options, "thindist-test"]) }
    }
}

fn mount(arguments: &[&str], path: &Path) {
    let output = Command::new("mount").args(arguments).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs mount (Debian: mount): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test mounts a file system, which needs root (or CAP_SYS_ADMIN): {said}");
}

/// What is mounted here, unmounted when dropped.
#[derive(Debug)]
struct Mount(PathBuf);

impl Mount {
    fn at(path: &Path, arguments: &[&str]) -> Self {
        mount(arguments, path);
        Self(path.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a failing test may have left something running in it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
