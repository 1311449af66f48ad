//! What a native object defines: each function, variable and remaining section, in a form that does not depend on its
//! position.
//!
//! An edit moves what stands behind it, and renumbers symbols and strings. So a definition is its bytes without those that the
//! linker will fill in, and for each of these what is meant: a symbol by its name, a place in a section by the definition
//! that it is in, a string by its text.

use object::read::elf::ElfFile;
use object::{
    Endianness, Object as _, ObjectKind, ObjectSection as _, ObjectSymbol as _, Relocation, RelocationFlags,
    RelocationTarget, SectionFlags, SectionIndex, SymbolIndex, SymbolKind, elf,
};
use std::collections::BTreeMap;

/// What is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Function,
    Variable,
    /// What no symbol covers: tables of exceptions, of static calls, of initcalls.
    Section,
}

/// One definition.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) kind: Kind,
    /// The source file that it is local to, where the object says so.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) content: Content,
}

/// What it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) section: String,
    bytes: Vec<u8>,
    references: Vec<(u64, String)>,
}

/// Why a file cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    #[error(transparent)]
    Object(#[from] object::Error),
    #[error(
        "it is already linked and no longer says what refers to what: name the relocatable object that it was linked from"
    )]
    Linked,
}

type Elf<'a> = ElfFile<'a, elf::FileHeader64<Endianness>>;
type Result<T> = std::result::Result<T, ImageError>;

/// Sections that follow from the functions: how to unwind them, where they are.
const DERIVED: [&str; 5] = [".eh_frame", ".orc_", ".llvm", ".note", ".stack_sizes"];

/// Names that are the compiler's own, and numbered: of strings, of constants.
const PRIVATE: &str = ".L";

impl Content {
    /// The same with every promoted name as it was before.
    pub(super) fn without_suffixes(&self) -> Self {
        let references = self.references.iter().map(|(place, target)| (*place, plain(target)));
        Self { section: plain(&self.section), bytes: self.bytes.clone(), references: references.collect() }
    }
}

/// A name without the suffixes of promoted ones (`.llvm.` and a number).
pub(super) fn plain(name: &str) -> String {
    const MARK: &str = ".llvm.";
    let mut parts = name.split(MARK);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|character: char| character.is_ascii_digit());
        if rest.len() == part.len() {
            text.push_str(MARK);
        }
        text.push_str(rest);
    }
    text
}

/// Everything that an object defines, in its order.
pub(super) fn definitions(bytes: &[u8]) -> Result<Vec<Definition>> {
    let file = Elf::parse(bytes)?;
    if file.kind() != ObjectKind::Relocatable {
        return Err(ImageError::Linked);
    }
    let relocations = file.sections().map(|section| (section.index().0, sorted(section.relocations()))).collect();
    let reader = Reader { files: source_files(&file), covers: covers(&file), relocations, file };
    let mut found = Vec::new();
    for symbol in reader.file.symbols() {
        found.extend(reader.symbol(symbol.index())?);
    }
    for section in reader.file.sections() {
        found.extend(reader.rest(section.index())?);
    }
    Ok(found)
}

/// Of each local symbol the source file that stands before it.
fn source_files(file: &Elf<'_>) -> BTreeMap<usize, String> {
    let mut source = String::new();
    let mut files = BTreeMap::new();
    for symbol in file.symbols() {
        if symbol.kind() == SymbolKind::File {
            symbol.name().unwrap_or_default().clone_into(&mut source);
        } else if symbol.is_local() {
            files.insert(symbol.index().0, source.clone());
        }
    }
    files
}

/// For each section the symbols that cover a part of it: start, end, which.
fn covers(file: &Elf<'_>) -> BTreeMap<usize, Vec<(u64, u64, usize)>> {
    let mut covers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let is_private = |name: object::Result<&str>| name.is_ok_and(|name| name.starts_with(PRIVATE));
    let named = file.symbols().filter(|symbol| !is_private(symbol.name()));
    for symbol in named.filter(|symbol| kind(symbol.kind()).is_some() && symbol.size() > 0) {
        if let Some(section) = symbol.section_index() {
            let start = symbol.address();
            covers.entry(section.0).or_default().push((start, start + symbol.size(), symbol.index().0));
        }
    }
    covers.values_mut().for_each(|covers| covers.sort_unstable());
    covers
}

fn sorted(relocations: impl Iterator<Item = (u64, Relocation)>) -> Vec<(u64, Relocation)> {
    let mut relocations: Vec<_> = relocations.collect();
    relocations.sort_by_key(|(place, _)| *place);
    relocations
}

fn kind(kind: SymbolKind) -> Option<Kind> {
    match kind {
        SymbolKind::Text => Some(Kind::Function),
        SymbolKind::Data | SymbolKind::Tls => Some(Kind::Variable),
        _ => None,
    }
}

struct Reader<'a> {
    file: Elf<'a>,
    files: BTreeMap<usize, String>,
    covers: BTreeMap<usize, Vec<(u64, u64, usize)>>,
    /// Of each section, by their places.
    relocations: BTreeMap<usize, Vec<(u64, Relocation)>>,
}

impl Reader<'_> {
    fn symbol(&self, index: SymbolIndex) -> Result<Option<Definition>> {
        let symbol = self.file.symbol_by_index(index)?;
        let (Some(kind), Some(section)) = (kind(symbol.kind()), symbol.section_index()) else { return Ok(None) };
        if symbol.size() == 0 || symbol.name()?.starts_with(PRIVATE) {
            return Ok(None);
        }
        let content = self.content(section, symbol.address(), symbol.size())?;
        let file = self.files.get(&index.0).cloned().unwrap_or_default();
        Ok(Some(Definition { kind, file, name: symbol.name()?.to_owned(), content }))
    }

    /// A section of the program that no symbol covers a part of.
    fn rest(&self, index: SectionIndex) -> Result<Option<Definition>> {
        let section = self.file.section_by_index(index)?;
        let name = section.name()?.to_owned();
        let flags = flags(section.flags());
        let is_program = flags.contains(elf::SHF_ALLOC) && section.size() > 0;
        let is_derived = DERIVED.iter().any(|start| name.starts_with(start)) || flags.contains(elf::SHF_MERGE);
        if !is_program || is_derived || self.covers.contains_key(&index.0) {
            return Ok(None);
        }
        let content = self.content(index, 0, section.size())?;
        Ok(Some(Definition { kind: Kind::Section, file: String::new(), name, content }))
    }

    fn content(&self, index: SectionIndex, start: u64, size: u64) -> Result<Content> {
        let section = self.file.section_by_index(index)?;
        // What takes no room in the file is all zeros.
        let mut bytes = section.data_range(start, size)?.map_or_else(|| size.to_le_bytes().to_vec(), <[u8]>::to_vec);
        let mut references = Vec::new();
        let relocations = self.relocations.get(&index.0).map(Vec::as_slice).unwrap_or_default();
        let first = relocations.partition_point(|(place, _)| *place < start);
        let within = relocations.get(first..).unwrap_or_default().iter();
        for (place, relocation) in within.take_while(|(place, _)| *place < start + size) {
            let at = place - start;
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let (filled, bias) = self.shape(r_type.0);
            let at_byte = usize::try_from(at).unwrap_or(usize::MAX);
            bytes.iter_mut().skip(at_byte).take(filled).for_each(|byte| *byte = 0);
            let target = self.target(relocation.target(), relocation.addend(), bias)?;
            references.push((at, format!("{} {target}", r_type.0)));
        }
        references.sort();
        Ok(Content { section: section.name()?.to_owned(), bytes, references })
    }

    /// How many bytes a relocation fills in, and what its addend lacks to the place that is meant. An instruction of aarch64 has no other
    /// bits there than the linker's.
    fn shape(&self, kind: u32) -> (usize, i64) {
        if self.file.elf_header().e_machine.get(Endianness::Little) != elf::EM_X86_64 {
            return (0, 0);
        }
        match elf::RelocationType(kind) {
            elf::R_X86_64_64 | elf::R_X86_64_PC64 => (8, 0),
            elf::R_X86_64_8 | elf::R_X86_64_PC8 => (1, 0),
            elf::R_X86_64_16 | elf::R_X86_64_PC16 => (2, 0),
            // Counted from the end of the instruction, which most often follows at once.
            elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => (4, 4),
            _ => (4, 0),
        }
    }

    fn target(&self, target: RelocationTarget, addend: i64, bias: i64) -> Result<String> {
        let RelocationTarget::Symbol(index) = target else { return Ok(format!("{addend:+}")) };
        let symbol = self.file.symbol_by_index(index)?;
        let is_place = symbol.kind() == SymbolKind::Section || symbol.name()?.starts_with(PRIVATE);
        match symbol.section_index() {
            Some(section) if is_place => {
                self.place(section, addend + i64::try_from(symbol.address()).unwrap_or(0), bias)
            }
            _ => Ok(format!("{}{addend:+}", self.name(index)?)),
        }
    }

    /// A symbol's name; a local one is that of its source file.
    fn name(&self, index: SymbolIndex) -> Result<String> {
        let name = self.file.symbol_by_index(index)?.name()?;
        Ok(match self.files.get(&index.0).filter(|file| !file.is_empty()) {
            Some(file) => format!("{name} ({file})"),
            None => name.to_owned(),
        })
    }

    /// What stands at a place in a section.
    fn place(&self, index: SectionIndex, addend: i64, bias: i64) -> Result<String> {
        let section = self.file.section_by_index(index)?;
        let at = u64::try_from(addend + bias).unwrap_or(0);
        let flags = flags(section.flags());
        if flags.contains(elf::SHF_STRINGS) {
            let text = section.data()?.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or_default();
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            return Ok(format!("{:?}", String::from_utf8_lossy(text)));
        }
        let size = section_entry(flags, &section);
        if let Some(constant) = size.and_then(|size| section.data_range(at, size).ok().flatten()) {
            return Ok(format!("{constant:02x?}"));
        }
        let covers = self.covers.get(&index.0).map(Vec::as_slice).unwrap_or_default();
        // The next one begins where a reference past the end of an empty one may point to.
        let covering = covers.iter().rev().find(|(start, ..)| *start <= at).or(covers.first());
        match covering {
            Some((start, _, symbol)) => {
                Ok(format!("{}{:+}", self.name(SymbolIndex(*symbol))?, addend - i64::try_from(*start).unwrap_or(0)))
            }
            None => Ok(format!("{}{addend:+}", section.name()?)),
        }
    }
}

/// The size of the constants that a section has one after the other, each once.
fn section_entry<'a>(flags: elf::SectionFlags, section: &impl object::ObjectSection<'a>) -> Option<u64> {
    let is_constants = flags.contains(elf::SHF_MERGE) && section.align() > 0;
    is_constants.then(|| section.align())
}

fn flags(flags: SectionFlags) -> elf::SectionFlags {
    match flags {
        SectionFlags::Elf { sh_flags, .. } => sh_flags,
        _ => elf::SectionFlags(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_suffixes() {
        let check = |name, expect: &str| assert_eq!(plain(name), expect);
        check("count.llvm.123", "count");
        check(".text.f.llvm.123", ".text.f");
        check("2 count.llvm.1 (a.c)+4", "2 count (a.c)+4");
        check("f.llvm.12.cold", "f.cold");
        check("memcpy.llvm.x", "memcpy.llvm.x");
    }
}
