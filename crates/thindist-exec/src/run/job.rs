//! An action together with the places of its inputs on this host, and its outcome.

use crate::estimate::Estimate;
use crate::store::file_stamp::FileStamp;
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::digest::Digest;
use thindist_core::plan::action::Action;

/// Where the content of an input comes from on this host.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, and its stamp at the time when it was hashed; without one it is trusted not to change.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its stamp when it was hashed.
        stamp: Option<FileStamp>,
    },
    /// The content itself.
    Bytes(Arc<[u8]>),
}

impl Source {
    /// The size in bytes as far as it is known without asking the file system.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File { stamp, .. } => stamp.map(|stamp| stamp.size),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
        }
    }
}

/// One backend compilation to be run.
#[derive(Debug, Clone)]
pub struct Job {
    /// What to run.
    pub action: Action,
    /// The module identifier, for messages and history.
    pub name: String,
    /// The own bitcode.
    pub module: Source,
    /// The individual index.
    pub index: Source,
    /// The imported modules, in the action's order.
    pub imports: Vec<Source>,
    /// The extra inputs, in the action's order.
    pub extra_inputs: Vec<Source>,
}

impl Job {
    /// All sources of the job's content.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        [&self.module, &self.index].into_iter().chain(&self.imports).chain(&self.extra_inputs)
    }
}

/// How a job ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With a native object in the CAS.
    Success(NativeObject),
    /// The compiler failed, or its output cannot be what was asked for. Running it again gives the same.
    CompileFailed {
        /// "exit status 1", "killed by signal 11 (SIGSEGV)", …
        status: String,
        /// The compiler's diagnostics.
        stderr: Vec<u8>,
    },
    /// It could not be run, or its output could not be kept.
    InfraFailed {
        /// What went wrong.
        message: String,
    },
    /// Something else ended the link.
    Cancelled,
}

impl Outcome {
    /// Whether the link cannot succeed any more.
    #[must_use]
    pub fn ends_the_link(&self) -> bool {
        matches!(self, Self::CompileFailed { .. } | Self::InfraFailed { .. })
    }
}

/// A native object in the CAS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeObject {
    /// Its content.
    pub digest: Digest,
    /// What the backend has written beside it, by its names in the action root: each is in the CAS as well.
    pub side: Box<[(String, Digest)]>,
    /// The compiler's warnings.
    pub stderr: Vec<u8>,
    /// Where it comes from.
    pub from: Origin,
    /// What it took, if it was run.
    pub estimate: Option<Estimate>,
    /// The same in parts, and where.
    pub times: Box<Times>,
}

/// What getting a native object took, part by part, in milliseconds. `None`: it did not happen, or nobody told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// The engine's name for the machine that ran it.
    pub worker: Option<String>,
    /// From being ready to being begun.
    pub queue_ms: Option<u64>,
    /// Inputs brought to where the compiler runs.
    pub fetch_ms: Option<u64>,
    /// The compiler.
    pub execute_ms: Option<u64>,
    /// The object checked and kept.
    pub upload_ms: Option<u64>,
    /// Bytes that this machine sent for it; what another action needed first is counted there.
    pub bytes_up: u64,
    /// Bytes that this machine got.
    pub bytes_down: u64,
}

/// Where a native object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A backend compilation on this machine.
    Executed,
    /// The local action cache.
    LocalCache,
    /// A cache that others share.
    RemoteCache,
    /// A backend compilation on a machine of an engine.
    RemoteExecuted,
}
