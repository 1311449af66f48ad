//! The symbols of a bitcode file as a linker sees them before it compiles anything.
//!
//! They are not in the module but in a table beside it, which LLVM's writer makes for linkers: global symbols, those of
//! module assembly among them, in the order in which lld enters them. A table of another version is not read: then
//! nobody knows that order.

use crate::bitcode::bitstream::{self, Block, BlockInfo, Item, Record};
use crate::lld::symbol_order::{Definition, Symbol, Visibility};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const STRTAB_BLOCK: u32 = 23;
const SYMTAB_BLOCK: u32 = 25;
/// Both blocks hold one blob, under this number.
const BLOB: u64 = 1;
/// The versions of the table in LLVM 14 to 22, and in 23. The newer one says of no symbol that code generation may refer to it;
/// nothing of that is read here.
const VERSIONS: [u32; 2] = [3, 4];

/// Where the table's header has the list of COMDAT groups, and that of symbols.
const COMDATS_AT: usize = 20;
const SYMBOLS_AT: usize = 28;
/// Name (two words), name in the module (two words), COMDAT group, flags.
const SYMBOL_WORDS: usize = 6;
/// Name (two words), how one is selected.
const COMDAT_WORDS: usize = 3;
/// LLVM's `Comdat::NoDeduplicate`: all of that name are kept.
const NO_DEDUPLICATE: u32 = 3;

/// Bits of a symbol's flags.
mod flag {
    pub(crate) const VISIBILITY: u32 = 3;
    pub(crate) const UNDEFINED: u32 = 1 << 3;
    pub(crate) const WEAK: u32 = 1 << 4;
    pub(crate) const COMMON: u32 = 1 << 5;
    pub(crate) const GLOBAL: u32 = 1 << 10;
    /// Not in native object files: LLVM's own variables.
    pub(crate) const FORMAT_SPECIFIC: u32 = 1 << 11;
}

/// What a linker sees of the bitcode of a link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcodeSymbols {
    /// Of every bitcode candidate, by its identifier; `None` where nobody knows.
    pub candidates: BTreeMap<String, Option<IrSymbols>>,
    /// Symbols that linked bitcode defines weakly or commonly.
    pub yielding: BTreeSet<String>,
}

/// What a linker sees of a bitcode file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IrSymbols {
    /// In the order of the table.
    pub symbols: Vec<Symbol>,
    /// Names of the COMDAT groups of which a link keeps one.
    pub groups: Vec<String>,
}

/// Reads the table. `None`: there is none, or it is of a version that this program does not know, or damaged.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<IrSymbols> {
    let (table, strings) = blobs(bytes)?;
    let table = Table { table, strings };
    if !VERSIONS.contains(&table.word(0)?) {
        return None;
    }
    let groups = table.list(COMDATS_AT, COMDAT_WORDS)?;
    let groups = groups.filter(|at| table.word(at + 8) != Some(NO_DEDUPLICATE)).map(|at| table.text(at));
    let symbols: Option<Vec<_>> = table.list(SYMBOLS_AT, SYMBOL_WORDS)?.map(|at| table.symbol(at)).collect();
    Some(IrSymbols { symbols: symbols?.into_iter().flatten().collect(), groups: groups.collect::<Option<_>>()? })
}

/// The table and the strings that it refers to.
fn blobs(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bitstream::unwrap_bitcode(bytes).ok()?;
    let (mut info, mut record) = (BlockInfo::default(), Record::default());
    let mut top = Block::top_level(bytes);
    let (mut table, mut strings) = (None, None);
    loop {
        match top.next(&mut info, &mut record).ok()? {
            Item::Block(extent) if extent.id == SYMTAB_BLOCK => table = blob(top.enter(extent, &info), &mut info),
            Item::Block(extent) if extent.id == STRTAB_BLOCK => strings = blob(top.enter(extent, &info), &mut info),
            Item::Block(_) | Item::Record => {}
            Item::End => return table.zip(strings),
        }
    }
}

fn blob<'a>(mut block: Block<'a>, info: &mut BlockInfo) -> Option<&'a [u8]> {
    let mut record = Record::default();
    loop {
        match block.next(info, &mut record).ok()? {
            Item::Record if record.code == BLOB => return Some(record.blob),
            Item::Record | Item::Block(_) => {}
            Item::End => return None,
        }
    }
}

struct Table<'a> {
    table: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Table<'a> {
    fn word(&self, at: usize) -> Option<u32> {
        self.table.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn size(&self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok()
    }

    /// Where each entry of a list is, whose place and length the header has at `at`.
    fn list(&self, at: usize, words: usize) -> Option<impl Iterator<Item = usize> + use<>> {
        let (from, count) = (self.size(at)?, self.size(at + 4)?);
        let to = count.checked_mul(words * 4)?.checked_add(from)?;
        (to <= self.table.len()).then(|| (from..to).step_by(words * 4))
    }

    fn text(&self, at: usize) -> Option<String> {
        let (from, size) = (self.size(at)?, self.size(at + 4)?);
        str::from_utf8(self.strings.get(from..from.checked_add(size)?)?).ok().map(str::to_owned)
    }

    /// `Some(None)` of one that is not the linker's.
    fn symbol(&self, at: usize) -> Option<Option<Symbol>> {
        let flags = self.word(at + 20)?;
        if flags & flag::GLOBAL == 0 || flags & flag::FORMAT_SPECIFIC != 0 {
            return Some(None);
        }
        let definition = match flags {
            _ if flags & flag::UNDEFINED != 0 => Definition::Undefined,
            _ if flags & flag::COMMON != 0 => Definition::Common,
            _ => Definition::Defined,
        };
        // LLVM's numbers of them, not ELF's.
        let visibility = match flags & flag::VISIBILITY {
            0 => Visibility::Default,
            2 => Visibility::Protected,
            _ => Visibility::Hidden,
        };
        Some(Some(Symbol { name: self.text(at)?, definition, weak: flags & flag::WEAK != 0, visibility }))
    }
}
