//! The compiler of the backends, as a worker gets it.

use super::tree::Tree;
use crate::blobs::Upload;
use std::path::PathBuf;
use thindist_core::digest::Digest;

/// The directory of the input root that holds it. No extra input has a name like this.
const DIRECTORY: &str = "thindist-toolchain";

/// Where a worker finds the compiler.
#[derive(Debug, Clone)]
pub enum Toolchain {
    /// Among the inputs: a worker of the same system and architecture needs nothing else, not even a C library.
    Shipped {
        /// The compiler, the libraries that it loads, and the loader.
        files: Vec<ToolFile>,
        /// The name of the loader among them.
        loader: String,
        /// The name of the compiler among them.
        compiler: String,
    },
    /// On the worker, under this path. That it is the same compiler is what the user says.
    Installed(String),
}

/// One file of it.
#[derive(Debug, Clone)]
pub struct ToolFile {
    /// Its name among the others.
    pub name: String,
    /// Where it is on this host.
    pub path: PathBuf,
    /// Its content.
    pub digest: Digest,
}

impl Toolchain {
    /// Puts it into an input root.
    pub(super) fn place(&self, tree: &mut Tree, blobs: &mut Vec<Upload>) -> Result<(), String> {
        let Self::Shipped { files, .. } = self else { return Ok(()) };
        for file in files {
            // A name with a slash in it would lead elsewhere.
            let name = file.name.rsplit('/').next().unwrap_or_default();
            tree.insert(&[DIRECTORY], name, (file.digest, true))?;
            blobs.push(Upload::file(file.digest, file.path.clone()));
        }
        Ok(())
    }

    /// The words before the action's own, for a command that runs so many directories below the root.
    ///
    /// The loader is called by name: the one that the compiler's header names is the worker's, if it has one at all.
    pub(super) fn command(&self, depth: u32) -> Vec<String> {
        match self {
            Self::Installed(compiler) => vec![compiler.clone()],
            Self::Shipped { loader, compiler, .. } => {
                let up = (0..depth).map(|_| "../").collect::<String>();
                let at = |name: &str| format!("{up}{DIRECTORY}/{name}");
                let directory = format!("{up}{DIRECTORY}");
                vec![at(loader), "--inhibit-cache".into(), "--library-path".into(), directory, at(compiler)]
            }
        }
    }
}
