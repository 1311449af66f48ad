//! The directory in which a backend runs: its declared inputs under their canonical names, and nothing else.
//!
//! Inputs are symbolic links to where they are on this host: made in microseconds, and nobody can mistake them for
//! private copies. The compiler runs `working_directory_depth` directories below the root, where all names are, so that
//! an extra input that begins with `..` stays inside.

use crate::job::{Job, Source};
use crate::layout;
use crate::store_error::{IoContext as _, StoreError};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Component, Path, PathBuf, absolute};
use tempfile::TempDir;
use thindist_core::action::{INDEX_NAME, MODULE_NAME, NATIVE_OBJECT_NAME, import_name};

/// The name of each directory between the root and the working directory.
const LEVEL: &str = "d";

/// Why an action cannot be materialized.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// An extra input whose path leads out of the action root.
    #[error("the extra input {0} is outside of the action root")]
    Escapes(String),
    /// An extra input that would replace a file of the action itself.
    #[error("the extra input {0} has the name of another input or of the output")]
    Clashes(String),
    /// An absolute path whose content is not a file of this host.
    #[error("the extra input {0} has an absolute path, so it cannot be put there")]
    AbsoluteBytes(String),
    /// Fewer or more sources than the action has inputs: a bug of the caller.
    #[error("internal error: {what}: {inputs} in the action, {sources} sources")]
    Mismatch {
        /// Which list.
        what: &'static str,
        /// How many the action has.
        inputs: usize,
        /// How many sources there are.
        sources: usize,
    },
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A materialized action; removed when dropped.
#[derive(Debug)]
pub struct ActionRoot {
    root: TempDir,
    working_directory: PathBuf,
}

impl ActionRoot {
    /// Puts all of the job's inputs into a new directory below `work_dir`.
    pub fn materialize(job: &Job, work_dir: &Path) -> Result<Self, RootError> {
        expect_same("imports", job.action.imports.len(), job.imports.len())?;
        expect_same("extra inputs", job.action.extra_inputs.len(), job.extra_inputs.len())?;
        let root = tempfile::Builder::new().prefix("action-").tempdir_in(work_dir).on("create", work_dir)?;
        let working_directory = make_levels(root.path(), job.action.working_directory_depth)?;
        let this = Self { root, working_directory };
        this.place(MODULE_NAME, &job.module)?;
        this.place(INDEX_NAME, &job.index)?;
        for (rank, import) in job.imports.iter().enumerate() {
            this.place(&import_name(rank), import)?;
        }
        for (extra, source) in job.action.extra_inputs.iter().zip(&job.extra_inputs) {
            this.place_extra(&extra.path, job.action.working_directory_depth, source)?;
        }
        Ok(this)
    }

    /// Where the compiler runs.
    #[must_use]
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// Where the native object will be.
    #[must_use]
    pub fn native_object(&self) -> PathBuf {
        self.working_directory.join(NATIVE_OBJECT_NAME)
    }

    /// Leaves it where it is, with copies in place of links: what those lead to may have gone when it is looked at.
    pub fn keep(self) -> Result<PathBuf, StoreError> {
        let root = self.root.keep();
        let mut open = vec![root];
        while let Some(directory) = open.pop() {
            for path in layout::list(&directory)? {
                let metadata = fs::symlink_metadata(&path).on("read", &path)?;
                if metadata.is_dir() {
                    open.push(path);
                } else if metadata.is_symlink() {
                    copy_in_place(&path)?;
                }
            }
        }
        Ok(self.working_directory)
    }

    fn place(&self, name: &str, source: &Source) -> Result<(), StoreError> {
        place_at(&self.working_directory.join(name), source)
    }

    fn place_extra(&self, path: &str, depth: u32, source: &Source) -> Result<(), RootError> {
        if Path::new(path).is_absolute() {
            return match source {
                Source::File { .. } => Ok(()),
                Source::Bytes(_) => Err(RootError::AbsoluteBytes(path.to_owned())),
            };
        }
        let destination = self.make_way(path, depth)?;
        if destination == self.native_object() || fs::symlink_metadata(&destination).is_ok() {
            return Err(RootError::Clashes(path.to_owned()));
        }
        Ok(place_at(&destination, source)?)
    }

    /// Makes every directory that the path names, those that it leaves again by `..` as well: the system looks them up.
    fn make_way(&self, path: &str, depth: u32) -> Result<PathBuf, RootError> {
        let escapes = || RootError::Escapes(path.to_owned());
        let parts: Vec<_> = Path::new(path).components().collect();
        let Some((Component::Normal(name), way)) = parts.split_last() else { return Err(escapes()) };
        let mut at = self.working_directory.clone();
        let mut level = depth;
        for part in way {
            match part {
                Component::Normal(name) => {
                    at.push(name);
                    make_directory(&at)
                        .map_err(|error| error.unwrap_or_else(|| RootError::Clashes(path.to_owned())))?;
                    level += 1;
                }
                Component::ParentDir => {
                    level = level.checked_sub(1).ok_or_else(escapes)?;
                    at.pop();
                }
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(escapes()),
            }
        }
        Ok(at.join(name))
    }
}

fn expect_same(what: &'static str, inputs: usize, sources: usize) -> Result<(), RootError> {
    if inputs == sources { Ok(()) } else { Err(RootError::Mismatch { what, inputs, sources }) }
}

fn make_levels(root: &Path, depth: u32) -> Result<PathBuf, StoreError> {
    let deepest = (0..depth).fold(root.to_owned(), |path, _| path.join(LEVEL));
    fs::create_dir_all(&deepest).on("create", &deepest)?;
    Ok(deepest)
}

/// A name that is taken by anything but a directory (a link to one would lead out of the root) is `None` as an error.
fn make_directory(path: &Path) -> Result<(), Option<RootError>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(None),
        Err(_) => fs::create_dir(path).on("create", path).map_err(|error| Some(error.into())),
    }
}

fn copy_in_place(link: &Path) -> Result<(), StoreError> {
    let content = fs::canonicalize(link).on("read", link)?;
    fs::remove_file(link).on("remove", link)?;
    fs::copy(&content, link).on("write", link).map(drop)
}

fn place_at(destination: &Path, source: &Source) -> Result<(), StoreError> {
    match source {
        Source::File { path, .. } => {
            let target = absolute(path).on("read", path)?;
            symlink(target, destination).on("create", destination)
        }
        Source::Bytes(bytes) => {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create_new(true).mode(0o444).open(destination).on("create", destination)?;
            file.write_all(bytes).on("write", destination)
        }
    }
}

#[cfg(test)]
#[path = "action_root_tests.rs"]
mod tests;
