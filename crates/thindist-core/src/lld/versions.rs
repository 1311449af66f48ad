//! What differs between versions of LLVM: one row each, and no other part of the product asks for a number.
//!
//! A row is a claim that links were tried: docs/llvm-versions.md has them. A version without a row is left to lld.

/// What is known of one major version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// LLVM's major version.
    pub major: u32,
    /// What its lld can give a distributor.
    pub dtlto: Dtlto,
    /// lld names each LTO object after its module: so an object that it has compiled can be known for a module's, and take the place
    /// of a separate backend's.
    pub names_lto_objects: bool,
    /// What a bitcode file defines it enters into its table of symbols before what the file only names.
    pub enters_definitions_first: bool,
    /// What `-cc1` needs so that relocations of x86 are as lld has them: relaxed ones, LLVM's own default since 16.
    pub relaxed_relocations: &'static [&'static str],
    /// What `-cc1` needs for passes that lld's pipeline has and clang's has not.
    pub passes: &'static [&'static str],
    /// An object that lld takes from its cache has the cache's name for it in maps and messages, and no temporary's.
    pub shows_cached_objects: bool,
    /// Objects show debug information of an import only together with its compile unit, or with what it declares:
    /// [`crate::import_facts::Traces`].
    pub shows_units: bool,
    /// What keeps clang's driver from reading configuration files of its own accord.
    pub without_configuration: &'static [&'static str],
}

/// Distributed ThinLTO, in lld itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtlto {
    /// It has none, or none by which `ld.thindist` was tried.
    Unknown,
    /// Of files and members of thin archives.
    Files,
    /// Of members of regular archives as well.
    Archives,
}

const INTERCHANGE: &[&str] = &["-floop-interchange"];
const NO_CONFIGURATION: &[&str] = &["--no-default-config"];
const RELAXED: &[&str] = &["--mrelax-relocations"];

const OLDEST: Version = Version {
    enters_definitions_first: false,
    relaxed_relocations: RELAXED,
    without_configuration: &[],
    ..showing_cached_objects(14)
};

/// All that were tried, the oldest first. No package of 20 was at hand.
pub const VERSIONS: &[Version] = &[
    OLDEST,
    Version { relaxed_relocations: RELAXED, without_configuration: &[], ..showing_cached_objects(15) },
    showing_cached_objects(16),
    showing_cached_objects(17),
    Version { names_lto_objects: true, ..showing_cached_objects(18) },
    Version { shows_units: true, ..apart(19) },
    Version { dtlto: Dtlto::Files, ..apart(21) },
    Version { dtlto: Dtlto::Archives, shows_units: true, ..apart(22) },
    Version { dtlto: Dtlto::Archives, passes: INTERCHANGE, ..apart(23) },
    Version { dtlto: Dtlto::Archives, passes: INTERCHANGE, ..apart(24) },
];

const fn showing_cached_objects(major: u32) -> Version {
    Version { shows_cached_objects: true, names_lto_objects: false, ..apart(major) }
}

const fn apart(major: u32) -> Version {
    Version {
        major,
        dtlto: Dtlto::Unknown,
        names_lto_objects: true,
        enters_definitions_first: true,
        relaxed_relocations: &[],
        passes: &[],
        shows_cached_objects: false,
        shows_units: false,
        without_configuration: NO_CONFIGURATION,
    }
}

/// The row of a version.
#[must_use]
pub fn version(major: u32) -> Option<&'static Version> {
    VERSIONS.iter().find(|version| version.major == major)
}

/// The row of a version or, for a tool that somebody uses all the same, of the nearest older one.
#[must_use]
pub fn nearest(major: u32) -> &'static Version {
    VERSIONS.iter().rfind(|version| version.major <= major).unwrap_or(&OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(VERSIONS.is_sorted_by_key(|version| version.major));
        assert_eq!(version(22).map(|version| version.dtlto), Some(Dtlto::Archives));
        assert_eq!(version(20), None);
        for (major, row) in [(3, 14), (14, 14), (20, 19), (22, 22), (99, 24)] {
            assert_eq!(nearest(major).major, row, "{major}");
        }
    }
}
