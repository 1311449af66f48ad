//! FatLTO objects: native objects with their bitcode in a section, which lld uses under `--fat-lto-objects`.

use super::archives::Place;
use crate::failure::Result;
use object::read::elf::{ElfFile32, ElfFile64};
use object::{Endianness, Object as _, ObjectSection as _};
use std::path::PathBuf;
use thindist_core::file_kind::{FileKind, file_kind};

const SECTION: &str = ".llvm.lto";

/// Where the bitcode of an object is, if it has some and the line asks for it.
pub(crate) fn bitcode_of(kind: FileKind, place: &Place, asked_for: bool) -> Result<Option<Place>> {
    if !asked_for || kind != FileKind::ElfRelocatable {
        return Ok(None);
    }
    let bytes = place.read()?;
    let Some((from, size)) = section(&bytes) else { return Ok(None) };
    let bitcode = usize::try_from(from).ok().and_then(|from| bytes.get(from..));
    if bitcode.is_none_or(|bitcode| file_kind(bitcode) != FileKind::Bitcode) {
        return Ok(None);
    }
    let (file, start) = match place {
        Place::File(path) => (path.clone(), 0),
        Place::Part { file, offset, .. } => (PathBuf::from(file), *offset),
    };
    Ok(Some(Place::Part { file, offset: start + from, size }))
}

/// Offset and size of the section. What is no readable object lld will report.
fn section(bytes: &[u8]) -> Option<(u64, u64)> {
    match object::FileKind::parse(bytes).ok()? {
        object::FileKind::Elf32 => ElfFile32::<Endianness>::parse(bytes).ok()?.section_by_name(SECTION)?.file_range(),
        _ => ElfFile64::<Endianness>::parse(bytes).ok()?.section_by_name(SECTION)?.file_range(),
    }
}
