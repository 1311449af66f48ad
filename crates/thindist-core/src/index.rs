//! The individual index: one module's `.thinlto.bc`, an extract of the combined summary index.
//!
//! Every block in it is a whole number of 32-bit words that refers to no position outside itself. So the block with the
//! modules' names and that with the summaries can be replaced, and all others stay bit for bit as the linker wrote
//! them; tests/real_llvm/rename.rs has real compilers confirm it.

use crate::bitstream::{self, BitstreamError, Block, BlockInfo, Extent, Item, Record};
use crate::bitstream_writer::BlockWriter;
use crate::promoted_names::ModuleHash;
use crate::summaries::{self, Declared};
use std::collections::{BTreeMap, BTreeSet};

const MODULE_BLOCK: u32 = 8;
const MODULE_STRTAB_BLOCK: u32 = 19;
const GLOBALVAL_SUMMARY_BLOCK: u32 = 20;
const STRTAB_BLOCK: u32 = 23;
const MST_ENTRY: u64 = 1;
const MST_HASH: u64 = 2;
/// Set for a module that the link did not select, whose index exists only because a build system expects the file.
const FLAG_SKIP_BACKEND: u64 = 1 << 1;
/// What a module has that the linker wrote no hash for.
const NO_HASH: [u32; 5] = [0; 5];

/// Stands between a local value's name and its module's hash.
const PROMOTED: &[u8] = b".llvm.";

/// One module that an index names: the module itself or one that it imports from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexModule {
    /// The number by which the index's summaries name it.
    pub id: u64,
    /// The linker's name for it, which a backend opens as a file; of one that is not UTF-8 each byte is a character
    /// ([`may_mean`]).
    pub identifier: String,
    /// The hash of its bitcode; zeros where the linker wrote none.
    pub hash: ModuleHash,
    /// The GUIDs of the definitions in it that the index summarises: its own, or the ones that are imported. `None` if a
    /// summary is of a kind that is not known here, and so is what would be imported.
    pub definitions: Option<BTreeSet<u64>>,
    /// Those of them that are in the output for certain, where no other module's can be taken instead (`dso_local`).
    pub dso_local: BTreeSet<u64>,
}

/// What a module is called in the index that a backend is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName {
    /// The file that the backend opens.
    pub name: String,
    /// What its promoted local values show in their names.
    pub hash: NewHash,
}

/// What becomes of a module's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewHash {
    /// It stays.
    Kept,
    /// It goes: no promoted local value of the module can be in what the backend makes.
    LeftOut,
    /// Another one.
    Replaced(ModuleHash),
}

/// What an individual index says of modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndividualIndex {
    /// The modules in the index's order.
    pub modules: Vec<IndexModule>,
    /// The link did not select this module, so its backend makes an empty object.
    pub skip: bool,
    /// Zero bytes: the bitcode was not indexed and is compiled without importing.
    pub empty: bool,
    /// The linker has written a promoted name into it, that of the target of a call that it devirtualised: with another hash
    /// that would be the name of nothing.
    pub has_promoted_names: bool,
}

impl ModuleName {
    /// A name for a module of whose promoted local values the index may tell.
    #[must_use]
    pub fn with_hash(name: impl Into<String>) -> Self {
        Self { name: name.into(), hash: NewHash::Kept }
    }
}

impl NewHash {
    /// What is written for a module that the linker wrote `old` for.
    fn of(self, old: ModuleHash) -> Option<ModuleHash> {
        match self {
            Self::Kept => Some(old).filter(|old| *old != [0; 5]),
            Self::LeftOut => None,
            Self::Replaced(new) => Some(new),
        }
    }
}

/// Why an individual index could not be read or renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The container is broken.
    #[error("individual index: {0}")]
    Bitstream(#[from] BitstreamError),
    /// A block that every individual index has is not there.
    #[error("individual index: no {0} block in it")]
    Missing(&'static str),
    /// A record that makes no sense.
    #[error("individual index: malformed {0}")]
    Malformed(&'static str),
    /// The caller knows no new name for a module.
    #[error("individual index: no canonical name for module {0:?}")]
    Unnamed(String),
    /// The caller gives two modules one name, which would make them one.
    #[error("individual index: the canonical name {0:?} is given to two modules")]
    Ambiguous(String),
    /// The renamed index would not fit a block's 32-bit length.
    #[error("individual index: too large with the new names")]
    TooLarge,
}

/// Reads an individual index.
///
/// # Errors
/// The bytes are neither empty nor an individual index.
pub fn read(bytes: &[u8]) -> Result<IndividualIndex, IndexError> {
    if bytes.is_empty() {
        return Ok(IndividualIndex { empty: true, ..IndividualIndex::default() });
    }
    let bytes = bitstream::unwrap_bitcode(bytes)?;
    let found = Found::locate(bytes)?;
    let has_promoted_names = names_in(bytes)?.windows(PROMOTED.len()).any(|part| part == PROMOTED);
    let skip = found.flags & FLAG_SKIP_BACKEND != 0;
    Ok(IndividualIndex { modules: found.modules, skip, empty: false, has_promoted_names })
}

/// Whether an index that says `written` may mean the module `name`. LLVM (seen in 19 and 22) writes a byte above 127 with
/// all higher bits set, and these end up in the bytes after it: `größe.o` becomes `gr` and what no byte of the name
/// contradicts.
#[must_use]
pub fn may_mean(written: &str, name: &str) -> bool {
    let bytes: Option<Vec<u8>> = written.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    let covers = |bytes: Vec<u8>| {
        bytes.len() == name.len() && bytes.iter().zip(name.bytes()).all(|(written, byte)| written & byte == byte)
    };
    written == name || (!name.is_ascii() && bytes.is_some_and(covers))
}

/// The names of symbols that stand in an index beside GUIDs: of types' identities and what calls through them lead to.
fn names_in(bytes: &[u8]) -> Result<&[u8], IndexError> {
    let (mut info, mut record) = (BlockInfo::default(), Record::default());
    let mut top = Block::top_level(bytes);
    loop {
        match top.next(&mut info, &mut record)? {
            Item::Block(extent) if extent.id == STRTAB_BLOCK => {
                let mut block = top.enter(extent, &info);
                while !matches!(block.next(&mut info, &mut record)?, Item::End) {
                    if !record.blob.is_empty() {
                        return Ok(record.blob);
                    }
                }
            }
            Item::Block(_) | Item::Record => {}
            Item::End => return Ok(&[]),
        }
    }
}

/// The same index with other module names and hashes, and in one order: modules by their new names, summaries as
/// `summaries` has them.
///
/// Equal input and names give equal bytes. An empty index stays empty.
///
/// # Errors
/// The bytes are no individual index, or `new_name` has no name of its own for a module in it.
pub fn rename_modules(bytes: &[u8], new_name: &dyn Fn(&str) -> Option<ModuleName>) -> Result<Vec<u8>, IndexError> {
    rename_and_declare(bytes, new_name, "", &BTreeSet::new())
}

/// [`rename_modules`], and for each of the GUIDs in `declared` without a summary one that says nothing but that the value is
/// `dso_local`, in the index's own module, whose new name is `own`. In-process its definition's summary says so.
///
/// # Errors
/// Those of [`rename_modules`].
pub fn rename_and_declare(
    bytes: &[u8],
    new_name: &dyn Fn(&str) -> Option<ModuleName>,
    own: &str,
    declared: &BTreeSet<u64>,
) -> Result<Vec<u8>, IndexError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = bitstream::unwrap_bitcode(bytes)?;
    let found = Found::locate(bytes)?;
    let mut named = BTreeMap::new();
    for module in &found.modules {
        let ModuleName { name, hash } =
            new_name(&module.identifier).ok_or_else(|| IndexError::Unnamed(module.identifier.clone()))?;
        let entry = (module.id, hash.of(module.hash));
        if named.insert(name.clone(), entry).is_some() {
            return Err(IndexError::Ambiguous(name));
        }
    }
    let numbers = (0_u64..).zip(named.values()).map(|(number, (id, _))| (*id, number)).collect();
    let declared = found.declared(named.get(own).map(|(id, _)| *id), declared);
    let mut info = BlockInfo::default();
    let block = Block::top_level(bytes).enter(found.summaries, &info);
    // Summaries that have to stay as they are know the modules by their old numbers.
    let summaries = summaries::canonical(block, &mut info, &numbers, declared);
    let old_numbers = named.values().map(|(id, _)| (*id, *id)).collect();
    let names = write_names(&found, &named, if summaries.is_some() { &numbers } else { &old_numbers });
    let renamed = splice(bytes, found.module, found.names, &names)?;
    match summaries {
        Some(records) => write_summaries(&renamed, records),
        None => Ok(renamed),
    }
}

/// The content of the block of names, by name.
fn write_names(
    found: &Found,
    named: &BTreeMap<String, (u64, Option<[u32; 5]>)>,
    numbers: &BTreeMap<u64, u64>,
) -> Vec<u8> {
    let mut content = BlockWriter::new(found.names.width);
    for (name, (id, hash)) in named {
        let number = numbers.get(id).copied().unwrap_or(*id);
        let entry: Vec<u64> = std::iter::once(number).chain(name.bytes().map(u64::from)).collect();
        content.record(MST_ENTRY, entry.into_iter());
        if let Some(hash) = hash {
            content.record(MST_HASH, hash.iter().copied().map(u64::from));
        }
    }
    content.finish()
}

fn write_summaries(bytes: &[u8], records: Vec<summaries::Plain>) -> Result<Vec<u8>, IndexError> {
    let found = Found::locate(bytes)?;
    let mut content = BlockWriter::new(found.summaries.width);
    for (code, values) in records {
        content.record(code, values.into_iter());
    }
    splice(bytes, found.module, found.summaries, &content.finish())
}

/// `bytes` with the content of block `inner`, which is in block `outer`, replaced.
fn splice(bytes: &[u8], outer: Extent, inner: Extent, content: &[u8]) -> Result<Vec<u8>, IndexError> {
    let part = |range: std::ops::Range<usize>| bytes.get(range).ok_or(IndexError::TooLarge);
    let outer_size = outer.end - outer.start - (inner.end - inner.start) + content.len();
    let mut out = Vec::with_capacity(bytes.len() + content.len());
    // A block's content follows the word that holds its length.
    out.extend_from_slice(part(0..outer.start - 4)?);
    out.extend_from_slice(&words(outer_size)?);
    out.extend_from_slice(part(outer.start..inner.start - 4)?);
    out.extend_from_slice(&words(content.len())?);
    out.extend_from_slice(content);
    out.extend_from_slice(part(inner.end..bytes.len())?);
    Ok(out)
}

fn words(bytes: usize) -> Result<[u8; 4], IndexError> {
    u32::try_from(bytes / 4).map(u32::to_le_bytes).map_err(|_| IndexError::TooLarge)
}

/// What is where in an individual index.
struct Found {
    module: Extent,
    names: Extent,
    summaries: Extent,
    modules: Vec<IndexModule>,
    flags: u64,
}

impl Found {
    fn locate(bytes: &[u8]) -> Result<Self, IndexError> {
        let (mut info, mut record) = (BlockInfo::default(), Record::default());
        let mut top = Block::top_level(bytes);
        loop {
            match top.next(&mut info, &mut record)? {
                Item::Block(extent) if extent.id == MODULE_BLOCK => {
                    return Self::in_module(top.enter(extent, &info), extent, &mut info);
                }
                Item::Block(_) | Item::Record => {}
                Item::End => return Err(IndexError::Missing("module")),
            }
        }
    }

    fn in_module(mut block: Block<'_>, module: Extent, info: &mut BlockInfo) -> Result<Self, IndexError> {
        let mut record = Record::default();
        let mut names = None;
        let mut summaries = None;
        loop {
            match block.next(info, &mut record)? {
                Item::Block(extent) if extent.id == MODULE_STRTAB_BLOCK && names.is_none() => {
                    names = Some((extent, read_names(block.enter(extent, info), info)?));
                }
                Item::Block(extent) if extent.id == MODULE_STRTAB_BLOCK => {
                    return Err(IndexError::Malformed("second table of module names"));
                }
                Item::Block(extent) if extent.id == GLOBALVAL_SUMMARY_BLOCK => {
                    summaries = Some((extent, summaries::read(block.enter(extent, info), info)?));
                }
                Item::Block(_) | Item::Record => {}
                Item::End => break,
            }
        }
        let (names, mut modules) = names.ok_or(IndexError::Missing("module name"))?;
        let (summaries, said) = summaries.ok_or(IndexError::Missing("summary"))?;
        for module in &mut modules {
            let Some(all) = &said.definitions else { continue };
            let of_module = all.get(&module.id).cloned().unwrap_or_default();
            module.definitions = Some(of_module.guids);
            module.dso_local = of_module.dso_local;
        }
        Ok(Self { module, names, summaries, modules, flags: said.flags })
    }

    /// A module without a summary of its own gets none: with one, a backend would begin to internalise what is in it.
    fn declared<'a>(&self, own: Option<u64>, guids: &'a BTreeSet<u64>) -> Option<Declared<'a>> {
        let own = self.modules.iter().find(|module| Some(module.id) == own)?;
        own.definitions.as_ref().filter(|definitions| !definitions.is_empty())?;
        Some(Declared { module: own.id, guids })
    }
}

fn read_names(mut block: Block<'_>, info: &mut BlockInfo) -> Result<Vec<IndexModule>, IndexError> {
    let mut record = Record::default();
    let mut modules: Vec<IndexModule> = Vec::new();
    loop {
        match block.next(info, &mut record)? {
            Item::Record if record.code == MST_ENTRY => modules.push(read_entry(&record)?),
            Item::Record if record.code == MST_HASH => {
                let module = modules.last_mut().ok_or(IndexError::Malformed("hash without a module"))?;
                module.hash = read_hash(&record)?;
            }
            // What we do not know we could not write back.
            Item::Record | Item::Block(_) => {
                return Err(IndexError::Malformed("table of module names: unknown record"));
            }
            Item::End => return Ok(modules),
        }
    }
}

fn read_entry(record: &Record<'_>) -> Result<IndexModule, IndexError> {
    let malformed = || IndexError::Malformed("module name");
    let id = record.value(0).ok_or_else(malformed)?;
    let name = record.bytes_from(1).ok_or_else(malformed)?;
    let each_byte = |name: &[u8]| name.iter().copied().map(char::from).collect();
    let identifier = String::from_utf8(name).unwrap_or_else(|error| each_byte(error.as_bytes()));
    Ok(IndexModule { id, identifier, hash: NO_HASH, definitions: None, dso_local: BTreeSet::new() })
}

fn read_hash(record: &Record<'_>) -> Result<ModuleHash, IndexError> {
    let words: Option<Vec<u32>> = record.values.iter().map(|value| u32::try_from(*value).ok()).collect();
    words.and_then(|words| words.try_into().ok()).ok_or(IndexError::Malformed("module hash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read back of a name that LLVM writes as 8 bits each of numbers with a sign, from bit `at` of a word on.
    fn garbled(name: &str, at: usize) -> String {
        let mut bits = vec![false; at + name.len() * 8 + 32];
        for (place, byte) in name.bytes().enumerate() {
            let written = if byte > 127 { 0xffff_ff00 | u32::from(byte) } else { u32::from(byte) };
            for bit in (0..32).filter(|bit| written >> bit & 1 == 1) {
                bits[at + place * 8 + bit] = true;
            }
        }
        let byte = |bits: &[bool]| (0..8).fold(0_u8, |byte, bit| byte | u8::from(bits[bit]) << bit);
        bits[at..at + name.len() * 8].chunks(8).map(|bits| char::from(byte(bits))).collect()
    }

    #[test]
    fn names_that_llvm_garbles_are_known_again() {
        for name in ["größe/größe.o", "测试/a.o", "/a/ö/m.o"] {
            for at in [0, 5, 19, 31] {
                assert!(may_mean(&garbled(name, at), name), "{name}");
                assert!(!may_mean(&garbled(name, at), &name.replace(".o", ".oo")), "{name}");
            }
        }
        assert!(!may_mean(&garbled("größe/m.o", 0), "größe/m.p"));
        assert!(may_mean("a.o", "a.o") && !may_mean("c.o", "a.o"), "ASCII is never garbled");
    }
}
