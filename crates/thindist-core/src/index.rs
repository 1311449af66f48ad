//! The individual index: one module's `.thinlto.bc`, a cut-out of the combined summary index.
//!
//! Every block in it is a whole number of 32-bit words that refers to no position outside itself. So the block with the
//! modules' names and that with the summaries can be replaced, and all others stay bit for bit as the linker wrote
//! them; tests/real_llvm/rename.rs has real compilers confirm it.

use crate::bitstream::{self, BitstreamError, Block, BlockInfo, Extent, Item, Record};
use crate::bitstream_writer::BlockWriter;
use crate::summaries;
use std::collections::BTreeSet;

const MODULE_BLOCK: u32 = 8;
const MODULE_STRTAB_BLOCK: u32 = 19;
const GLOBALVAL_SUMMARY_BLOCK: u32 = 20;
const MST_ENTRY: u64 = 1;
const MST_HASH: u64 = 2;
/// Set for a module that the link did not select, whose index exists only because a build system expects the file.
const FLAG_SKIP_BACKEND: u64 = 1 << 1;
/// What a module has that the linker wrote no hash for.
const NO_HASH: [u32; 5] = [0; 5];

/// One module that an index names: the module itself or one that it imports from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexModule {
    /// The number by which the index's summaries name it.
    pub id: u64,
    /// The linker's name for it, which a backend opens as a file.
    pub identifier: String,
    /// The hash of its bitcode; zeros where the linker wrote none.
    pub hash: [u32; 5],
    /// The GUIDs of the definitions in it that the index summarises: its own, or the ones that are imported. `None` if a
    /// summary is of a kind that is not known here, and so is what would be imported.
    pub definitions: Option<BTreeSet<u64>>,
}

/// What a module is called in the index that a backend is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName {
    /// The file that the backend opens.
    pub name: String,
    /// Promoted local values of the module may show its hash in their names; where none can, the hash is left out.
    pub keeps_hash: bool,
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
}

impl ModuleName {
    /// A name for a module of whose promoted local values the index may tell.
    #[must_use]
    pub fn with_hash(name: impl Into<String>) -> Self {
        Self { name: name.into(), keeps_hash: true }
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
    /// A file name that is no UTF-8.
    #[error("individual index: the module name {0:?} is not UTF-8")]
    NotUtf8(String),
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
    Ok(IndividualIndex { modules: found.modules, skip: found.flags & FLAG_SKIP_BACKEND != 0, empty: false })
}

/// The same index with other module names, without the hashes that no name needs, and its summaries in the one order that `summaries` gives them.
///
/// Equal input and names give equal bytes. An empty index stays empty.
///
/// # Errors
/// The bytes are no individual index, or `new_name` has no name of its own for a module in it.
pub fn rename_modules(bytes: &[u8], new_name: &dyn Fn(&str) -> Option<ModuleName>) -> Result<Vec<u8>, IndexError> {
    rewrite(bytes, &|module| {
        let ModuleName { name, keeps_hash } =
            new_name(&module.identifier).ok_or_else(|| IndexError::Unnamed(module.identifier.clone()))?;
        Ok((name, if keeps_hash { module.hash } else { NO_HASH }))
    })
}

/// The same index with the linker's names, another hash for each module that `new_hash` has one for, and its summaries in
/// their one order.
///
/// # Errors
/// The bytes are no individual index.
pub fn replace_hashes(bytes: &[u8], new_hash: &dyn Fn(&str) -> Option<[u32; 5]>) -> Result<Vec<u8>, IndexError> {
    rewrite(bytes, &|module| Ok((module.identifier.clone(), new_hash(&module.identifier).unwrap_or(module.hash))))
}

/// A module's name and hash in the table of names.
type Entry = (String, [u32; 5]);

/// `entry` gives each module its entry.
fn rewrite(bytes: &[u8], entry: &dyn Fn(&IndexModule) -> Result<Entry, IndexError>) -> Result<Vec<u8>, IndexError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = bitstream::unwrap_bitcode(bytes)?;
    let found = Found::locate(bytes)?;
    let mut content = BlockWriter::new(found.names.width);
    let mut names = BTreeSet::new();
    for module in &found.modules {
        let (name, hash) = entry(module)?;
        if !names.insert(name.clone()) {
            return Err(IndexError::Ambiguous(name));
        }
        let entry: Vec<u64> = std::iter::once(module.id).chain(name.bytes().map(u64::from)).collect();
        content.record(MST_ENTRY, entry.into_iter());
        if hash != NO_HASH {
            content.record(MST_HASH, hash.into_iter().map(u64::from));
        }
    }
    let renamed = splice(bytes, found.module, found.names, &content.finish())?;
    order_summaries(renamed)
}

/// Brings the summaries into their one order, if every record is known.
fn order_summaries(bytes: Vec<u8>) -> Result<Vec<u8>, IndexError> {
    let found = Found::locate(&bytes)?;
    let mut info = BlockInfo::default();
    let block = Block::top_level(&bytes).enter(found.summaries, &info);
    let Some(records) = summaries::canonical(block, &mut info) else { return Ok(bytes) };
    let mut content = BlockWriter::new(found.summaries.width);
    for (code, values) in records {
        content.record(code, values.into_iter());
    }
    splice(&bytes, found.module, found.summaries, &content.finish())
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
            module.definitions = said.definitions.as_ref().map(|all| all.get(&module.id).cloned().unwrap_or_default());
        }
        Ok(Self { module, names, summaries, modules, flags: said.flags })
    }
}

fn read_names(mut block: Block<'_>, info: &mut BlockInfo) -> Result<Vec<IndexModule>, IndexError> {
    let mut record = Record::default();
    let mut modules: Vec<IndexModule> = Vec::new();
    loop {
        match block.next(info, &mut record)? {
            Item::Record if record.code == MST_ENTRY => modules.push(read_entry(&record)?),
            Item::Record if record.code == MST_HASH => {
                let module = modules.last_mut().ok_or(IndexError::Malformed("hash of no module"))?;
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
    let identifier = String::from_utf8(name)
        .map_err(|error| IndexError::NotUtf8(String::from_utf8_lossy(error.as_bytes()).into_owned()))?;
    Ok(IndexModule { id, identifier, hash: NO_HASH, definitions: None })
}

fn read_hash(record: &Record<'_>) -> Result<[u32; 5], IndexError> {
    let words: Option<Vec<u32>> = record.values.iter().map(|value| u32::try_from(*value).ok()).collect();
    words.and_then(|words| words.try_into().ok()).ok_or(IndexError::Malformed("module hash"))
}
