//! Where things are: the project's root, and the directory for the files of a task.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::host::files;

/// The root of the workspace, known at compile time: tasks run from any directory below it.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// One directory below `target/` with a task's sources, builds, caches and logs; deleting it forgets all of them.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
}

impl Home {
    pub(crate) fn open(name: &str) -> Result<Home> {
        let dir = root().join("target").join(name);
        files::make_dir(&dir)?;
        Ok(Home { dir })
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    /// The local CAS and action cache of every kernel here: sharing one is the case worth testing.
    pub(crate) fn cache(&self) -> PathBuf {
        self.dir.join("cache")
    }

    /// A fresh file for `THINDIST_STATS`: what is in it afterwards belongs to the step that asked for it.
    pub(crate) fn fresh_stats(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join("stats").join(format!("{name}.json"));
        files::make_dir(&self.dir.join("stats"))?;
        files::remove_file(&path)?;
        Ok(path)
    }
}
