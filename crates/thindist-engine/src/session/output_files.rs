//! Output files whose times a build system compares.

use crate::failure::{Failure, Result, io};
use crate::session::workspace::Workspace;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use thindist_exec::NativeObject;

/// Writes `bytes` to `path`, whole or not at all, unless they are there already. Says whether it did.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    write(path, bytes)?;
    Ok(true)
}

/// Writes `bytes` to `path`, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &std::io::Error| io("write", path, error);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".thindist-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(|error| failed(&error))?;
    file.write_all(bytes).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// Whether there is a file at `path` with the content and the mode of `new`.
pub(crate) fn same(new: &Path, path: &Path) -> Result<bool> {
    let (Ok(there), Ok(made)) = (path.metadata(), new.metadata()) else { return Ok(false) };
    if there.len() != made.len() || there.mode() != made.mode() {
        return Ok(false);
    }
    let read = |path: &Path| fs::read(path).map_err(|error| io("read", path, &error));
    Ok(read(path)? == read(new)?)
}

/// Makes the directory that a file goes into.
pub(crate) fn make_parent(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory).map_err(|error| io("create", directory, &error))
}

/// Puts a native object at `path`. A copy: the build system's file is its own, and nothing may write to what the CAS has.
pub(crate) fn install(workspace: &Workspace, native: &NativeObject, path: &Path, if_changed: bool) -> Result<()> {
    let bytes = workspace.cas.read(&native.digest)?.ok_or_else(|| {
        Failure::new(format_args!("the native object for {} is missing from the CAS", path.display()))
            .hint("another process clears the cache; try again when it has ended")
    })?;
    if if_changed { write_if_changed(path, &bytes).map(drop) } else { write(path, &bytes) }
}

/// Removes a file that is of no use any more; that it is not there is as good.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_keeps_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert!(write_if_changed(&path, b"one").unwrap());
        let before = fs::metadata(&path).unwrap();
        assert!(!write_if_changed(&path, b"one").unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(before.modified().unwrap(), after.modified().unwrap());
        assert!(write_if_changed(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        remove(&path).unwrap();
        remove(&path).unwrap();
    }
}
