//! What the files beside a module are called.

use std::path::PathBuf;

/// What is added to a module's path: its canonical individual index.
pub(crate) const INDEX_SUFFIX: &str = ".thinlto.bc";
/// Its job file.
pub const JOB_SUFFIX: &str = ".thinlto.job";

/// What its native object has in place of `.o`: Kbuild's own name.
pub const NATIVE_SUFFIX: &str = ".thinlto-native.o";

/// `x.o` becomes `x.thinlto-native.o`.
pub(crate) fn native_path(bitcode: &str, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", bitcode.strip_suffix(".o").unwrap_or(bitcode)))
}
