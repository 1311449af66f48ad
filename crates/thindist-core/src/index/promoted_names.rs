//! The suffixes of promoted local values.
//!
//! What an import makes visible to other modules, LLVM calls `name.llvm.N`: N is the first half of the module's hash, which
//! the individual index tells each backend, so every edit of a module renames all of these. With another hash in every
//! index that names the module they are called otherwise, in the module's own object and in those of its importers alike.
//! [`PromotedNames::Stable`] makes it of the module's path.
//!
//! It does not know what is promoted, nor where a module is: paths are names here.

use crate::digest::{Digest, Hasher};
use std::collections::BTreeMap;

/// Raised whenever the same path gives another suffix.
const VERSION: &str = "promoted names 1";

/// What a module's hash, as the linker writes it into indexes, is.
pub type ModuleHash = [u32; 5];

/// What the suffix is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotedNames {
    /// The module's content, as in-process.
    Hash,
    /// The module's path: it survives edits.
    Stable,
}

/// A hash for each of these modules, by its path as [`crate::paths::relative`] gives it. Two modules of one path, which an archive can
/// have, are told apart by their order.
#[must_use]
pub fn stable_hashes<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<ModuleHash> {
    let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
    paths
        .map(|path| {
            let copy = taken.entry(path).or_default();
            *copy += 1;
            hash(path, *copy)
        })
        .collect()
}

fn hash(path: &str, copy: u64) -> ModuleHash {
    let mut hasher = Hasher::default();
    [VERSION, path].iter().for_each(|text| hasher.part(text.as_bytes()));
    hasher.update(&copy.to_le_bytes());
    of_digest(&hasher.finish())
}

/// The first 160 bits of a digest where a module's hash stands.
pub(crate) fn of_digest(digest: &Digest) -> ModuleHash {
    let mut words = [0; 5];
    for (word, bytes) in words.iter_mut().zip(digest.hash().as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// What LLVM puts after a promoted name for this hash.
#[must_use]
pub fn suffix(hash: &ModuleHash) -> String {
    let [high, low, ..] = *hash;
    format!(".llvm.{}", u64::from(high) << 32 | u64::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pins the suffixes: who traces or patches a kernel keeps lists of them.
    #[test]
    fn golden_suffixes() {
        let hashes = stable_hashes(["init/main.o", "lib/bcd.o"].into_iter());
        let suffixes: Vec<String> = hashes.iter().map(suffix).collect();
        assert_eq!(suffixes, [".llvm.5667945996064774897", ".llvm.14157660227792734038"]);
    }

    #[test]
    fn modules_of_one_path_are_told_apart() {
        let hashes = stable_hashes(["a.o", "b.o", "a.o"].into_iter());
        assert_eq!(hashes[..2], stable_hashes(["a.o", "b.o"].into_iter()));
        assert_ne!(hashes[0], hashes[2]);
        assert_ne!(hashes[0], hashes[1]);
    }

    #[test]
    fn llvms_suffix() {
        assert_eq!(suffix(&[1, 2, 3, 4, 5]), ".llvm.4294967298");
    }
}
