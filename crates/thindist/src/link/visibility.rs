//! Visibility that a symbol gets from bitcode only.
//!
//! A symbol has the narrowest visibility of all files that name it. In-process bitcode is among these, whatever LTO leaves of its
//! references; the final link sees natives and LTO objects. If the one reference that said `hidden` is gone, a definition
//! of default visibility would be exported. So a symbol for which the objects say less than the bitcode did gets the bitcode's
//! visibility in a copy of one object that names it. What no object names is in no output.

use super::symbol_tables::{ObjectSymbols, damaged};
use crate::failure::Result;
use object::read::elf::FileHeader as _;
use object::{Endianness, elf};
use std::collections::BTreeMap;
use std::path::Path;
use thindist_core::link_line::Refusal;
use thindist_core::symbol_order::{Symbol, Visibility};

type Header = elf::FileHeader64<Endianness>;

/// Names with the visibility that no object of the final link gives them.
#[derive(Debug, Default)]
pub(crate) struct Lost(BTreeMap<String, Visibility>);

impl Lost {
    /// What the loaded bitcode says, where the objects do not.
    pub(crate) fn of<'a>(
        bitcode: impl Iterator<Item = &'a Symbol>,
        objects: impl Iterator<Item = &'a ObjectSymbols>,
    ) -> Self {
        let mut said = narrowest(bitcode.filter(|symbol| symbol.visibility != Visibility::Default));
        if !said.is_empty() {
            for (name, visibility) in narrowest(objects.flat_map(|object| &object.symbols)) {
                if said.get(name).is_some_and(|wanted| *wanted <= visibility) {
                    said.remove(name);
                }
            }
        }
        Self(said.into_iter().map(|(name, visibility)| (name.to_owned(), visibility)).collect())
    }

    /// Gives the symbols that `object` names, and nobody had before, what they have lost: `bytes`, or a copy of `original`.
    pub(crate) fn give(
        &mut self,
        name: &Path,
        object: &ObjectSymbols,
        bytes: &mut Option<Vec<u8>>,
        original: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<std::result::Result<(), Refusal>> {
        let taken = object.symbols.iter().filter_map(|symbol| self.0.remove_entry(&symbol.name));
        let taken: BTreeMap<String, Visibility> = taken.collect();
        let Some(symbol) = taken.keys().next() else { return Ok(Ok(())) };
        let unedited = bytes.take().map_or_else(original, Ok)?;
        if !matches!(object::FileKind::parse(unedited.as_slice()), Ok(object::FileKind::Elf64)) {
            let reason = format!("bitcode hides its symbol `{symbol}`, and only 64-bit objects are changed");
            return Ok(Err(Refusal { option: name.display().to_string(), reason }));
        }
        *bytes = Some(narrowed(unedited, &taken).map_err(|error| damaged(name, &error))?);
        Ok(Ok(()))
    }
}

fn narrowest<'a>(symbols: impl Iterator<Item = &'a Symbol>) -> BTreeMap<&'a str, Visibility> {
    let mut narrowest = BTreeMap::new();
    for symbol in symbols {
        let known = narrowest.entry(symbol.name.as_str()).or_default();
        *known = symbol.visibility.max(*known);
    }
    narrowest
}

/// The object with these symbols so.
fn narrowed(mut bytes: Vec<u8>, wanted: &BTreeMap<String, Visibility>) -> object::read::Result<Vec<u8>> {
    let mut places = Vec::new();
    {
        let header = Header::parse(bytes.as_slice())?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes.as_slice())?;
        let table = sections.symbols(endian, bytes.as_slice(), elf::SHT_SYMTAB)?;
        for symbol in table.iter().filter(|symbol| symbol.st_bind() != elf::STB_LOCAL) {
            let name = String::from_utf8_lossy(table.symbol_name(endian, symbol)?);
            if let Some(visibility) = wanted.get(name.as_ref()) {
                places.push((std::ptr::from_ref(symbol) as usize - bytes.as_ptr() as usize + ST_OTHER, *visibility));
            }
        }
    }
    for (at, visibility) in places {
        if let Some(other) = bytes.get_mut(at) {
            *other = *other & !VISIBILITY_BITS | number(visibility);
        }
    }
    Ok(bytes)
}

/// Offset in a symbol of 64-bit ELF, and what of that byte is visibility.
const ST_OTHER: usize = 5;
const VISIBILITY_BITS: u8 = 3;

fn number(visibility: Visibility) -> u8 {
    match visibility {
        Visibility::Default => elf::STV_DEFAULT,
        Visibility::Protected => elf::STV_PROTECTED,
        Visibility::Hidden => elf::STV_HIDDEN,
        Visibility::Internal => elf::STV_INTERNAL,
    }
    .0
}

#[cfg(test)]
mod tests {
    use super::*;
    use thindist_core::symbol_order::Definition;

    fn symbol(name: &str, visibility: Visibility) -> Symbol {
        Symbol { name: name.to_owned(), definition: Definition::Undefined, weak: false, visibility }
    }

    #[test]
    fn lost_is_what_no_object_says() {
        use Visibility::{Default, Hidden, Internal, Protected};
        let bitcode = [symbol("a", Hidden), symbol("a", Default), symbol("b", Hidden), symbol("c", Protected)];
        let object = |symbols: Vec<Symbol>| ObjectSymbols { symbols, ..ObjectSymbols::default() };
        let objects = [
            object(vec![symbol("a", Default), symbol("b", Internal), symbol("d", Default)]),
            object(vec![symbol("a", Protected), symbol("c", Default)]),
        ];
        let lost = Lost::of(bitcode.iter(), objects.iter()).0;
        assert_eq!(lost, [("a".to_owned(), Hidden), ("c".to_owned(), Protected)].into());
    }
}
