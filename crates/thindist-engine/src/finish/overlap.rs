//! Definitions that are both in native objects and in bitcode.
//!
//! A weak symbol and a COMDAT group go to whoever comes first. In-process the bitcode keeps its place for that, in the final
//! link all natives come before the LTO objects. So what a native object loses in-process is taken out of the copy of it that
//! the final link sees:
//! - a group belongs to the first file of the trace that has it. If that is bitcode, the native's sections of the group are
//!   marked as excluded, which lld discards as it does those of a group that has lost;
//! - a symbol that an LTO object defines weakly went to the bitcode in front: LTO drops what does not prevail. The weak
//!   definition of a native that comes later becomes a reference.
//!
//! Code generation adds groups of its own (`DW.ref.__gxx_personality_v0`), which several LTO objects and natives may have. In-process
//! keeps all that are in LTO objects. In copies of those they are no COMDAT groups any more.
//!
//! A strong definition wins from any place (the kernel's linux_banner is one). Common symbols are merged by size and
//! alignment, groups are kept whole in a `-r` link: such links are left to in-process.

use crate::failure::{Result, io};
use crate::inputs::symbol_tables::{ObjectSymbols, damaged, signature};
use crate::stop::Stop;
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _, SymbolTable};
use object::{Endianness, elf};
use std::collections::BTreeSet;
use std::path::Path;
use thindist_core::lld::ir_symbols::IrSymbols;
use thindist_core::lld::link_line::Refusal;
use thindist_core::lld::symbol_order::{Definition, Symbol};

type Header = elf::FileHeader64<Endianness>;

/// What the bitcode side of a link defines.
#[derive(Debug, Default)]
pub(crate) struct InBitcode {
    /// Symbols that an LTO object defines so that the first definition counts.
    weak: BTreeSet<String>,
    /// Those of them that bitcode has defined, so far in the trace.
    taken: BTreeSet<String>,
    /// Groups that bitcode was the first to have, so far in the trace.
    groups: BTreeSet<String>,
    /// The output keeps groups.
    keeps_groups: bool,
}

impl InBitcode {
    /// What the LTO objects of a link tell.
    pub(crate) fn of(objects: &[ObjectSymbols], keeps_groups: bool) -> Self {
        let giving_way = objects.iter().flat_map(|object| &object.symbols).filter(|symbol| symbol.gives_way());
        Self { weak: giving_way.map(|symbol| symbol.name.clone()).collect(), keeps_groups, ..Self::default() }
    }

    /// Adds a bitcode file of the trace. `in_natives`: groups that natives had before.
    pub(crate) fn add_bitcode(&mut self, bitcode: &IrSymbols, in_natives: &BTreeSet<String>) {
        self.groups.extend(bitcode.groups.iter().filter(|group| !in_natives.contains(*group)).cloned());
        let defined = bitcode.symbols.iter().filter(|symbol| symbol.definition != Definition::Undefined);
        self.taken.extend(defined.map(|symbol| &symbol.name).filter(|name| self.weak.contains(*name)).cloned());
    }

    /// A common symbol is in question wherever it stands.
    fn loses(&self, symbol: &Symbol) -> bool {
        match symbol.definition {
            Definition::Undefined => false,
            Definition::Defined => symbol.weak && self.taken.contains(&symbol.name),
            Definition::Common => self.weak.contains(&symbol.name),
        }
    }

    /// Whether a native object defines what may be taken.
    pub(crate) fn may_take(&self, object: &ObjectSymbols) -> Option<String> {
        let defined = object.symbols.iter().filter(|symbol| symbol.weak && symbol.definition == Definition::Defined);
        defined.map(|symbol| &symbol.name).find(|name| self.weak.contains(*name)).cloned()
    }
}

/// A native object that has to be changed for the final link: a copy without what it loses.
pub(crate) fn without_losses(
    name: &str,
    bytes: &[u8],
    object: &ObjectSymbols,
    bitcode: &InBitcode,
) -> Result<std::result::Result<Option<Vec<u8>>, Refusal>> {
    let loses_group = |group: &String| bitcode.groups.contains(group);
    let lost: Vec<&Symbol> = object.symbols.iter().filter(|symbol| bitcode.loses(symbol)).collect();
    let group = object.groups.iter().find(|group| loses_group(group));
    if lost.is_empty() && group.is_none() {
        return Ok(Ok(None));
    }
    let refuse = |symbol: &str, why: &str| {
        Ok(Err(Refusal { option: name.to_owned(), reason: format!("it and bitcode both define `{symbol}`, {why}") }))
    };
    if let Some(common) = lost.iter().find(|symbol| symbol.definition == Definition::Common) {
        return refuse(&common.name, "and common symbols are merged");
    }
    if let Some(group) = group.filter(|_| bitcode.keeps_groups) {
        return refuse(group, "and the output keeps groups");
    }
    if !matches!(object::FileKind::parse(bytes), Ok(object::FileKind::Elf64)) {
        return refuse(lost.first().map_or("a group", |symbol| &symbol.name), "and only 64-bit objects are changed");
    }
    let edited = Editor::edit(bytes, bitcode).map_err(|error| damaged(Path::new(name), &error))?;
    Ok(Ok(Some(edited)))
}

/// An LTO object with all of its groups kept, where another file has one of them.
pub(crate) fn with_all_groups(
    path: &Path,
    object: &ObjectSymbols,
    elsewhere: &BTreeSet<String>,
    keeps_groups: bool,
) -> std::result::Result<Option<Vec<u8>>, Stop> {
    let Some(group) = object.groups.iter().find(|group| elsewhere.contains(*group)) else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    if keeps_groups || !matches!(object::FileKind::parse(bytes.as_slice()), Ok(object::FileKind::Elf64)) {
        let option = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let reason = format!("it and another object have the group `{group}`, and the output keeps groups");
        return Err(Stop::Refused(Refusal { option, reason }));
    }
    Ok(Some(Editor::open_groups(&bytes, elsewhere).map_err(|error| damaged(path, &error))?))
}

struct Editor<'a> {
    bytes: Vec<u8>,
    endian: Endianness,
    bitcode: &'a InBitcode,
}

impl<'a> Editor<'a> {
    fn edit(original: &[u8], bitcode: &'a InBitcode) -> object::read::Result<Vec<u8>> {
        let header = Header::parse(original)?;
        let endian = header.endian()?;
        let mut this = Self { bytes: original.to_vec(), endian, bitcode };
        let sections = header.sections(endian, original)?;
        let table = sections.symbols(endian, original, elf::SHT_SYMTAB)?;
        let mut excluded = BTreeSet::new();
        for section in sections.iter() {
            let Some((flags, members)) = section.group(endian, original)? else { continue };
            if flags.contains(elf::GRP_COMDAT) && bitcode.groups.contains(&signature(endian, section, &table)?) {
                this.write_u32(section.sh_offset(endian), 0);
                excluded.extend(members.iter().map(|member| member.get(endian) as usize));
            }
        }
        for (index, section) in sections.enumerate().filter(|(index, _)| excluded.contains(&index.0)) {
            let at = header.e_shoff(endian) + index.0 as u64 * u64::from(header.e_shentsize(endian)) + SH_FLAGS;
            this.write_u64(at, section.sh_flags(endian).0 | elf::SHF_EXCLUDE.0);
        }
        this.symbols(&table, &excluded, original)?;
        Ok(this.bytes)
    }

    /// Groups of these names are no COMDAT groups any more.
    fn open_groups(original: &[u8], groups: &BTreeSet<String>) -> object::read::Result<Vec<u8>> {
        let header = Header::parse(original)?;
        let endian = header.endian()?;
        let nothing = InBitcode::default();
        let mut this = Editor { bytes: original.to_vec(), endian, bitcode: &nothing };
        let sections = header.sections(endian, original)?;
        let table = sections.symbols(endian, original, elf::SHT_SYMTAB)?;
        for section in sections.iter() {
            if section.group(endian, original)?.is_some() && groups.contains(&signature(endian, section, &table)?) {
                this.write_u32(section.sh_offset(endian), 0);
            }
        }
        Ok(this.bytes)
    }

    /// Definitions that are lost become references.
    fn symbols(
        &mut self,
        table: &SymbolTable<'_, Header>,
        excluded: &BTreeSet<usize>,
        original: &[u8],
    ) -> object::read::Result<()> {
        for (index, symbol) in table.enumerate().filter(|(_, symbol)| symbol.st_bind() != elf::STB_LOCAL) {
            let section = symbol.st_shndx(self.endian);
            let name = String::from_utf8_lossy(table.symbol_name(self.endian, symbol)?).into_owned();
            let is_weak = symbol.st_bind() != elf::STB_GLOBAL && section != elf::SHN_UNDEF;
            let place = table.symbol_section(self.endian, symbol, index)?;
            if place.is_some_and(|place| excluded.contains(&place.0)) || (is_weak && self.bitcode.taken.contains(&name))
            {
                let at = (std::ptr::from_ref(symbol) as usize - original.as_ptr() as usize) as u64;
                self.write(at + ST_SHNDX, &[0; 2]);
                // Value and size.
                self.write(at + ST_VALUE, &[0; 16]);
            }
        }
        Ok(())
    }

    fn write_u32(&mut self, at: u64, value: u32) {
        let bytes = if self.endian == Endianness::Little { value.to_le_bytes() } else { value.to_be_bytes() };
        self.write(at, &bytes);
    }

    fn write_u64(&mut self, at: u64, value: u64) {
        let bytes = if self.endian == Endianness::Little { value.to_le_bytes() } else { value.to_be_bytes() };
        self.write(at, &bytes);
    }

    /// What was read there before is there.
    fn write(&mut self, at: u64, bytes: &[u8]) {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(place) = self.bytes.get_mut(from..from.saturating_add(bytes.len())) {
            place.copy_from_slice(bytes);
        }
    }
}

/// Offsets in a section header and in a symbol of 64-bit ELF.
const SH_FLAGS: u64 = 8;
const ST_SHNDX: u64 = 6;
const ST_VALUE: u64 = 8;
