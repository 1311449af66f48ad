//! What Kbuild makes with the option: goals, names, and how to count them.

use crate::figures::stats::{self, Link};

/// What a user of the option builds.
pub(super) const ALL: &[&str] = &["vmlinux", "bzImage", "modules"];

/// What takes the place of `.o` in the name of a native object.
pub(super) const SUFFIX: &str = ".thinlto-native.o";

/// A word of the steps' line as it is in that of one link: the archive has the bitcode, not its objects.
pub(super) fn in_one_link(word: String) -> String {
    if word == "vmlinux.thinlto.a" { "vmlinux.a".to_string() } else { word }
}

pub(super) fn targets(links: &[Link]) -> usize {
    stats::targets(links, SUFFIX)
}
