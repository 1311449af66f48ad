//! The names of files in an action root: what a backend's arguments name is the same on every machine.

/// The file name of the own bitcode in the action root.
pub const MODULE_NAME: &str = "module.bc";
/// The file name of the canonical individual index in the action root.
pub const INDEX_NAME: &str = "index.thinlto.bc";
/// The file name of the native object in the action root.
pub const NATIVE_OBJECT_NAME: &str = "module.thinlto-native.o";

/// What a backend of two runs of the compiler has between them: the module, optimised.
pub const OPTIMISED_NAME: &str = "module.opt.bc";
/// Stands in an action's arguments between those of two runs.
pub const THEN: &str = "--thindist-then";
/// [`SIDE_OUTPUTS`]: split debug information.
pub const DWO_NAME: &str = "module.dwo";
/// [`SIDE_OUTPUTS`]: optimisation remarks.
pub const REMARKS_NAME: &str = "module.opt";
/// What a backend writes beside its object if its arguments name it.
pub const SIDE_OUTPUTS: [&str; 2] = [DWO_NAME, REMARKS_NAME];

/// A file that the line names for every backend, under its name in the action root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFile {
    /// The name in the action root.
    pub name: &'static str,
    /// The path on the line.
    pub path: String,
}

/// [`LinkFile`]: a profile of samples.
pub const SAMPLE_PROFILE_NAME: &str = "sample-profile";
/// [`LinkFile`]: a context-sensitive profile of an instrumented program.
pub const CS_PROFILE_NAME: &str = "cs-profile";
/// [`LinkFile`]: which basic blocks go into which sections.
pub const BLOCK_SECTIONS_NAME: &str = "basic-block-sections";
/// All of these.
pub const LINK_FILE_NAMES: [&str; 3] = [SAMPLE_PROFILE_NAME, CS_PROFILE_NAME, BLOCK_SECTIONS_NAME];

/// The name under which the import of this rank is found in the action root.
///
/// Ranks follow the sort order of the linker's module identifiers: LLVM links imports in that order, and its output
/// depends on it. Zero-padding keeps the order of names equal to the order of ranks.
#[must_use]
pub fn import_name(rank: usize) -> String {
    format!("import-{rank:06}.bc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_imports_sort_as_their_ranks() {
        let names: Vec<_> = [0, 9, 10, 99, 100, 99_999, 100_000].map(import_name).into();
        assert!(names.is_sorted());
    }
}
