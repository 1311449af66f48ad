//! File operations with the path in every error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

fn named(path: &Path, what: &str) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot {what} {}: {error}", path.display())
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(named(path, "read"))
}

pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(named(path, "read"))
}

/// Writes beside `path` and renames, so that an interrupted task leaves the old file or the new one.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let temporary = path.with_added_extension("new");
    fs::write(&temporary, content).map_err(named(&temporary, "write"))?;
    rename(&temporary, path)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(named(from, "rename"))
}

pub(crate) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(named(path, "create"))
}

/// The paths in a directory, in order.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = entries.map_err(named(directory, "list"))?;
    paths.sort();
    Ok(paths)
}

/// Removes a file that may be absent.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    absent_is_fine(fs::remove_file(path)).map_err(named(path, "remove"))
}

/// Moves what may be absent.
pub(crate) fn rename_if_there(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot move {} to {}: {error}", from.display(), to.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a directory, with what is in it, that may be absent.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    absent_is_fine(fs::remove_dir_all(path)).map_err(named(path, "remove"))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn make_executable(path: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path, mode).map_err(named(path, "change the mode of"))
}

pub(crate) fn symlink(target: &Path, link: &Path) -> Result<()> {
    remove_file(link)?;
    std::os::unix::fs::symlink(target, link).map_err(named(link, "create"))
}

/// Every file in `directory` and below it; links are not followed.
pub(crate) fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in list(directory)? {
        if path.is_dir() && !path.is_symlink() { found.extend(below(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
