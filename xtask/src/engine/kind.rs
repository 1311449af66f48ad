//! What is to be known of one engine: how it is brought up, and what it can do.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::host::project::Home;

/// Below this directory of `target/` each engine has one of its own.
pub(super) const HOME: &str = "engine";

/// One engine.
pub(super) struct Engine {
    pub(super) name: &'static str,
    /// Whether it executes actions, or is a cache only.
    pub(super) executes: bool,
    /// Installs what is missing into its home.
    pub(super) provide: fn(&Home) -> Result<()>,
    /// How many ports it takes; the first is for clients.
    pub(super) ports: usize,
    /// What is started: its home, where it keeps data, its ports.
    pub(super) processes: fn(&Home, &Path, &[u16]) -> Result<Vec<Process>>,
    /// Whether, when it listens, it is complete.
    pub(super) ready: fn(&[u16]) -> bool,
    /// Where its data has each blob as a file, if it has.
    pub(super) blobs: Option<&'static str>,
    /// Whether its workers see this machine's files, and it runs an action once that several ask for at a time.
    pub(super) merges_on_this_machine: bool,
}

/// A process of an engine.
pub(super) struct Process {
    /// Names its log.
    pub(super) name: String,
    pub(super) command: Command,
}

impl Process {
    pub(super) fn new(name: &str, command: Command) -> Self {
        Self { name: name.to_owned(), command }
    }
}
