//! Symbol tables of native objects and shared libraries, as lld enters them.

use crate::failure::{Failure, Result};
use object::read::elf::{FileHeader, SectionHeader as _, SectionTable, Sym, SymbolTable};
use object::{Endianness, SymbolIndex, elf};
use std::path::Path;
use thindist_core::symbol_order::{Definition, Symbol, Visibility};

/// What a linker sees of a native object.
#[derive(Debug, Default)]
pub(crate) struct ObjectSymbols {
    /// The global ones in order.
    pub(crate) symbols: Vec<Symbol>,
    /// Signatures of its COMDAT groups.
    pub(crate) groups: Vec<String>,
    /// `EI_OSABI`; 0 is none.
    pub(crate) os_abi: u8,
}

impl ObjectSymbols {
    /// Names that another file's definition may take from it: weak and common symbols, groups.
    pub(crate) fn giving_way(&self) -> impl Iterator<Item = &String> {
        self.symbols.iter().filter(|symbol| symbol.gives_way()).map(|symbol| &symbol.name).chain(&self.groups)
    }
}

/// What a linker sees of a shared object.
#[derive(Debug, Default)]
pub(crate) struct SharedSymbols {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) soname: Option<String>,
}

type Parsed<T> = object::read::Result<T>;

/// Reads a native object.
pub(crate) fn of_object(name: impl AsRef<Path>, bytes: &[u8]) -> Result<ObjectSymbols> {
    parse(bytes, read_object::<elf::FileHeader32<Endianness>>, read_object::<elf::FileHeader64<Endianness>>)
        .map_err(|error| damaged(name.as_ref(), &error))
}

/// Reads a shared object.
pub(crate) fn of_shared(name: impl AsRef<Path>, bytes: &[u8]) -> Result<SharedSymbols> {
    parse(bytes, read_shared::<elf::FileHeader32<Endianness>>, read_shared::<elf::FileHeader64<Endianness>>)
        .map_err(|error| damaged(name.as_ref(), &error))
}

pub(crate) fn damaged(name: &Path, error: &object::read::Error) -> Failure {
    Failure::new(format_args!("{}: {error}", name.display())).hint("the object is damaged; compile it again")
}

fn parse<T>(bytes: &[u8], elf32: fn(&[u8]) -> Parsed<T>, elf64: fn(&[u8]) -> Parsed<T>) -> Parsed<T> {
    match object::FileKind::parse(bytes)? {
        object::FileKind::Elf32 => elf32(bytes),
        _ => elf64(bytes),
    }
}

fn read_object<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Parsed<ObjectSymbols> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let table = sections.symbols(endian, bytes, elf::SHT_SYMTAB)?;
    let globals = table.symbols().iter().filter(|symbol| symbol.st_bind() != elf::STB_LOCAL);
    let symbols = globals.map(|symbol| Ok(described(endian, symbol, text(table.symbol_name(endian, symbol)?))));
    let os_abi = header.e_ident().os_abi.0;
    Ok(ObjectSymbols {
        symbols: symbols.collect::<Parsed<_>>()?,
        groups: groups(endian, bytes, &sections, &table)?,
        os_abi,
    })
}

fn groups<Elf: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    bytes: &[u8],
    sections: &SectionTable<'_, Elf>,
    table: &SymbolTable<'_, Elf>,
) -> Parsed<Vec<String>> {
    let mut groups = Vec::new();
    for section in sections.iter() {
        if section.group(endian, bytes)?.is_some_and(|(flags, _)| flags.contains(elf::GRP_COMDAT)) {
            groups.push(signature(endian, section, table)?);
        }
    }
    Ok(groups)
}

/// The name of a group.
pub(crate) fn signature<Elf: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    section: &Elf::SectionHeader,
    table: &SymbolTable<'_, Elf>,
) -> Parsed<String> {
    let symbol = table.symbol(SymbolIndex(section.sh_info(endian) as usize))?;
    Ok(text(table.symbol_name(endian, symbol)?))
}

/// Of a definition that gives way, like GNU's unique ones, this is no more than that it is not global.
fn described<S: Sym<Endian = Endianness>>(endian: Endianness, symbol: &S, name: String) -> Symbol {
    let (section, binding) = (symbol.st_shndx(endian), symbol.st_bind());
    let definition = match section {
        elf::SHN_UNDEF => Definition::Undefined,
        elf::SHN_COMMON => Definition::Common,
        _ => Definition::Defined,
    };
    let weak = if section == elf::SHN_UNDEF { binding == elf::STB_WEAK } else { binding != elf::STB_GLOBAL };
    let visibility = match symbol.st_visibility() {
        elf::STV_PROTECTED => Visibility::Protected,
        elf::STV_HIDDEN => Visibility::Hidden,
        elf::STV_INTERNAL => Visibility::Internal,
        _ => Visibility::Default,
    };
    Symbol { name, definition, weak, visibility }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn read_shared<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Parsed<SharedSymbols> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let table = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
    let versions = sections.versions(endian, bytes)?;
    let mut symbols = Vec::new();
    for (index, symbol) in table.enumerate().filter(|(_, symbol)| symbol.st_bind() != elf::STB_LOCAL) {
        let plain = described(endian, symbol, text(table.symbol_name(endian, symbol)?));
        let Some(versions) = &versions else {
            symbols.push(plain);
            continue;
        };
        let place = versions.version_index(endian, index);
        let version = if place.index() > elf::VER_NDX_GLOBAL { versions.version(place.index())? } else { None };
        let versioned =
            version.map(|version| Symbol { name: format!("{}@{}", plain.name, text(version.name())), ..plain.clone() });
        match versioned {
            // A reference has one name, a definition two if it is the default.
            Some(versioned) if plain.definition == Definition::Undefined || place.is_hidden() => {
                symbols.push(versioned)
            }
            Some(versioned) => symbols.extend([plain, versioned]),
            None => symbols.push(plain),
        }
    }
    Ok(SharedSymbols { symbols, soname: soname(endian, bytes, &sections)? })
}

fn soname<Elf: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    bytes: &[u8],
    sections: &SectionTable<'_, Elf>,
) -> Parsed<Option<String>> {
    use object::read::elf::Dyn as _;
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(None) };
    let strings = sections.strings(endian, bytes, link)?;
    let entry = entries.iter().find(|entry| entry.d_tag(endian) == elf::DT_SONAME);
    let offset = entry.and_then(|entry| u32::try_from(entry.d_val(endian).into()).ok());
    Ok(offset.and_then(|offset| strings.get(offset).ok()).map(text))
}
