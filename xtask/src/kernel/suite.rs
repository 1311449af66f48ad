//! What checks of a kernel share: where it is, what links it, and the list of what came of them.

use std::time::{Duration, SystemTime};

use crate::Result;
use crate::figures::checks::Checks;
use crate::figures::stats::Link;
use crate::host::cargo;
use crate::host::project::Home;

use super::build::{self, Linker};
use super::checkout::Kernel;

/// Fewer would mean that Kconfig dropped the subset, or that the modules did not reach the link as bitcode.
pub(crate) const LEAST_MODULES: u64 = 1000;

/// What the checks share.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(super) home: Home,
    pub(super) linker: Linker,
    pub(crate) checks: Checks,
}

impl Suite {
    pub(crate) fn open(home: Home) -> Result<Suite> {
        let linker = Linker::thindist(cargo::install_thindist(&home)?);
        Ok(Suite { home, linker, checks: Checks::default() })
    }

    pub(super) fn make(&self, kernel: &Kernel, step: &str, targets: &[&str]) -> Result<Vec<Link>> {
        build::make(kernel, &self.home, &self.linker, step, targets)
    }

    pub(super) fn record(&mut self, kernel: &Kernel, name: &str, outcome: Result<String>) -> bool {
        self.checks.record(&format!("kernel, LLVM {}: {name}", kernel.llvm), outcome)
    }
}

/// A number that no earlier run appended, so that its object is in no cache.
pub(super) fn unseen() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
