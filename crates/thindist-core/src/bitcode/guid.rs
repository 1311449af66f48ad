//! LLVM's identity of a value across modules.

use md5::{Digest as _, Md5};

/// LLVM's identity of a value in summaries: the first half of the MD5 of its name, without the mark that says that the
/// name is final.
pub(crate) fn guid(name: &[u8]) -> u64 {
    let hash = Md5::digest(name.strip_prefix(b"\x01").unwrap_or(name));
    hash.first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

/// The same of a local value, since LLVM 18: a name of its own for each source file.
pub(crate) fn local_guid(source_file: &[u8], name: &[u8]) -> u64 {
    let source_file = if source_file.is_empty() { b"<unknown>" } else { source_file };
    let name = name.strip_prefix(b"\x01").unwrap_or(name);
    guid(&[source_file, b";", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `llvm-bcanalyzer` and LLVM's own summaries say so of `main`.
    #[test]
    fn identities() {
        assert_eq!(guid(b"main"), 15_822_663_052_811_949_562);
        assert_eq!(guid(b"\x01main"), guid(b"main"));
    }
}
