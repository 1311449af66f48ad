//! The kind of a linker input, by its first bytes.
//!
//! A native object that carries bitcode in a section (FatLTO) counts as a native object here.

use crate::{archive, bitstream};

/// The kinds of files that a link line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// LLVM bitcode, raw or in a wrapper.
    Bitcode,
    /// A native object.
    ElfRelocatable,
    /// A shared library.
    ElfShared,
    /// ELF of another type.
    ElfOther,
    /// An archive that holds its members.
    Archive,
    /// An archive that names its members.
    ThinArchive,
    /// Anything else: a linker script, most often.
    Other,
}

/// How many bytes [`file_kind`] wants to see.
pub const FIRST_BYTES: usize = 20;

/// The kind of a file that begins with `first_bytes`, of which [`FIRST_BYTES`] are enough.
#[must_use]
pub fn file_kind(first_bytes: &[u8]) -> FileKind {
    match first_bytes {
        bytes if bytes.starts_with(&bitstream::MAGIC) => FileKind::Bitcode,
        bytes if bytes.starts_with(&bitstream::WRAPPER_MAGIC) => FileKind::Bitcode,
        bytes if bytes.starts_with(archive::MAGIC) => FileKind::Archive,
        bytes if bytes.starts_with(archive::THIN_MAGIC) => FileKind::ThinArchive,
        bytes if bytes.starts_with(b"\x7fELF") => elf_kind(bytes),
        _ => FileKind::Other,
    }
}

/// `e_type` is the halfword at offset 16, in the byte order that byte 5 names.
fn elf_kind(bytes: &[u8]) -> FileKind {
    let e_type = match (bytes.get(5), bytes.get(16..18)) {
        (Some(2), Some(&[high, low])) | (Some(_), Some(&[low, high])) => u16::from_le_bytes([low, high]),
        _ => return FileKind::ElfOther,
    };
    match e_type {
        1 => FileKind::ElfRelocatable,
        3 => FileKind::ElfShared,
        _ => FileKind::ElfOther,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_magic() {
        let elf = |order: u8, e_type: [u8; 2]| {
            let mut bytes = [b"\x7fELF\x02".as_slice(), &[order], &[0; 14]].concat();
            bytes[16..18].copy_from_slice(&e_type);
            bytes
        };
        let check = |bytes: &[u8], expect| assert_eq!(file_kind(bytes), expect, "{bytes:x?}");
        check(b"BC\xc0\xde\x35\x14", FileKind::Bitcode);
        check(b"\xde\xc0\x17\x0b", FileKind::Bitcode);
        check(b"!<arch>\n/   ", FileKind::Archive);
        check(b"!<thin>\n", FileKind::ThinArchive);
        check(&elf(1, [1, 0]), FileKind::ElfRelocatable);
        check(&elf(2, [0, 1]), FileKind::ElfRelocatable);
        check(&elf(1, [3, 0]), FileKind::ElfShared);
        check(&elf(2, [0, 3]), FileKind::ElfShared);
        check(&elf(1, [2, 0]), FileKind::ElfOther);
        check(b"\x7fELF", FileKind::ElfOther);
        check(b"INPUT(a.o)", FileKind::Other);
        check(b"", FileKind::Other);
    }
}
