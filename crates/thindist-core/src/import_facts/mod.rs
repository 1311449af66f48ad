//! What an importer gets of a module: for each definition that can be imported, a digest of everything that the import
//! brings along.
//!
//! A backend reads an imported module as a whole file, and takes a few definitions out of it. Keyed by the file, every
//! importer of arch/x86/kernel/cpu/common.o runs again (487 of a kernel's 1,027 modules) when one function is added to it,
//! and one native object changes. Keyed by what is taken, one runs.
//!
//! What is taken is read here from the bitcode itself. It cannot be compared as bytes: one more function, type or constant
//! renumbers everything after it. So a definition is described with each number replaced by what it stands for: types,
//! attributes, constants and metadata by their content, global values by their name. Then come the headers of all global
//! values that were reached, as an import declares these. Beside the definitions stands what an import takes from the
//! module as such: target, module assembly, flags and other named metadata, the names of structures, tables of kinds.
//!
//! Debug information is left out ([`debug`]), and a part says so: whether it counts is seen in the object.
//!
//! **Where this gives up, the importer depends on the whole file**, as it would without this module. It gives up on
//! every record that `layout` has no row for. A definition that reaches a local value is described, but does not suffice if the import would show the module's own hash:
//! LLVM promotes a local value to `name.llvm.HASH`, and HASH covers the whole file, unless the names are
//! [stable](crate::index::promoted_names). What is described otherwise has no such name in it, so the plan can leave the hash out of
//! the index.
//!
//! `!srcloc`, the place of inline assembly in the source, is for messages: which pieces of assembly have one place counts, as a
//! pass that compares instructions compares it as well, and where that is does not.
//!
//! The order of all variables counts as well, as far as the backend meets them ([`Met`]): when LLVM has imported from a module,
//! it puts each variable that this one names and the importer has behind all others, in the order of the imported module.
//!
//! It does not know what is imported from where: that is in the individual indexes.

mod attributes;
mod debug;
mod debug_shown;
mod facts;
mod function;
mod globals;
mod layout;
mod sink;
mod tables;
mod types;

use crate::bitcode::bitstream::{self, Block, BlockInfo, Extent, Item, Record};
use crate::bitcode::guid::{guid, local_guid};
pub use debug::Traces;
pub use debug_shown::shown;
use facts::{Content, OWN_NODE};
pub use facts::{ImportFacts, Met, Part};
use globals::{Global, Kind, Names};
use sink::{Id, Sink};
use std::collections::{BTreeMap, BTreeSet};
use tables::{Reached, Tables};
use types::Types;

/// Block and record numbers of LLVM's `LLVMBitCodes.h`.
mod code {
    pub(super) const MODULE_BLOCK: u32 = 8;
    pub(super) const PARAMATTR_BLOCK: u32 = 9;
    pub(super) const PARAMATTR_GROUP_BLOCK: u32 = 10;
    pub(super) const CONSTANTS_BLOCK: u32 = 11;
    pub(super) const FUNCTION_BLOCK: u32 = 12;
    pub(super) const IDENTIFICATION_BLOCK: u32 = 13;
    pub(super) const SYMBOL_TABLE_BLOCK: u32 = 14;
    pub(super) const METADATA_BLOCK: u32 = 15;
    pub(super) const TYPE_BLOCK: u32 = 17;
    pub(super) const GLOBALVAL_SUMMARY_BLOCK: u32 = 20;
    pub(super) const OPERAND_BUNDLE_TAGS_BLOCK: u32 = 21;
    pub(super) const METADATA_KIND_BLOCK: u32 = 22;
    pub(super) const STRTAB_BLOCK: u32 = 23;
    pub(super) const SYNC_SCOPE_NAMES_BLOCK: u32 = 26;

    pub(super) const STRTAB_BLOB: u64 = 1;

    pub(super) const VERSION: u64 = 1;
    pub(super) const TRIPLE: u64 = 2;
    pub(super) const DATALAYOUT: u64 = 3;
    pub(super) const ASM: u64 = 4;
    pub(super) const DEPLIB: u64 = 6;
    pub(super) const VSTOFFSET: u64 = 13;
    pub(super) const SOURCE_FILENAME: u64 = 16;
    pub(super) const HASH: u64 = 17;
}

/// The module version since which names are in a table of their own.
const NAMES_APART: u64 = 2;
const SOURCE_LOCATION: &[u8] = b"srcloc";
/// Kinds of metadata that lead to debug information and to nothing else.
const DEBUG_KINDS: [&[u8]; 2] = [b"dbg", b"DIAssignID"];
/// The list of a module's compile units.
const UNITS: &[u8] = b"llvm.dbg.cu";
/// The list of functions with pseudo probes.
const PROBES: &[u8] = b"llvm.pseudo_probe_desc";

/// Reads what importers get of a module; `None` if nothing can be said of any import.
///
/// `bytes` have been read before, by [`crate::bitcode::read_module`], which names what is damaged; here damage is one
/// more reason to give up.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<ImportFacts> {
    let bytes = bitstream::unwrap_bitcode(bytes).ok()?;
    let file = File::locate(bytes)?;
    let mut info = BlockInfo::default();
    let mut reader = ModuleReader::new(file.strings, file.identification);
    reader.read(Block::top_level(bytes).enter(file.module, &info), &mut info)?;
    reader.facts(&info)
}

/// Where the parts of a file are. Names come after the module that uses them.
struct File<'a> {
    identification: Sink,
    module: Extent,
    strings: &'a [u8],
}

impl<'a> File<'a> {
    fn locate(bytes: &'a [u8]) -> Option<Self> {
        let (mut info, mut record) = (BlockInfo::default(), Record::default());
        let mut top = Block::top_level(bytes);
        let (mut identification, mut module, mut strings) = (Sink::of(b'c'), None, None);
        loop {
            match top.next(&mut info, &mut record).ok()? {
                Item::Block(extent) if extent.id == code::IDENTIFICATION_BLOCK => {
                    copy(top.enter(extent, &info), &mut info, &mut identification)?;
                }
                // Two modules in a file are a hybrid one, which takes part in regular LTO as well.
                Item::Block(extent) if extent.id == code::MODULE_BLOCK && module.is_none() => module = Some(extent),
                Item::Block(extent) if extent.id == code::MODULE_BLOCK => return None,
                Item::Block(extent) if extent.id == code::STRTAB_BLOCK => {
                    strings = Some(read_strings(top.enter(extent, &info), &mut info)?);
                }
                Item::Block(_) | Item::Record => {}
                Item::End => return Some(Self { identification, module: module?, strings: strings? }),
            }
        }
    }
}

fn read_strings<'a>(mut block: Block<'a>, info: &mut BlockInfo) -> Option<&'a [u8]> {
    let mut record = Record::default();
    loop {
        match block.next(info, &mut record).ok()? {
            Item::Record if record.code == code::STRTAB_BLOB => return Some(record.blob),
            Item::Record | Item::Block(_) => {}
            Item::End => return None,
        }
    }
}

/// Takes every record of a block into a description as it is: none of them holds the number of something else.
fn copy(mut block: Block<'_>, info: &mut BlockInfo, sink: &mut Sink) -> Option<()> {
    let mut record = Record::default();
    loop {
        match block.next(info, &mut record).ok()? {
            Item::Record => {
                sink.number(record.code);
                sink.numbers(&record.values);
                sink.bytes(record.blob);
            }
            Item::Block(_) => return None,
            Item::End => {
                sink.tag(b'.');
                return Some(());
            }
        }
    }
}

struct ModuleReader<'a> {
    tables: Tables<'a>,
    names: Names<'a>,
    common: Sink,
    /// As the compiler was given it: identities of local values have it in them.
    source_file: Vec<u8>,
    /// Bodies in the order of the functions that are defined.
    bodies: Vec<Block<'a>>,
}

impl<'a> ModuleReader<'a> {
    fn new(strings: &'a [u8], common: Sink) -> Self {
        let names = Names { strings, ..Names::default() };
        Self { tables: Tables::default(), names, common, source_file: Vec::new(), bodies: Vec::new() }
    }

    fn read(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record => self.record(&record)?,
                Item::Block(extent) if extent.id == code::FUNCTION_BLOCK => {
                    self.bodies.push(block.enter(extent, info));
                }
                Item::Block(extent) => self.block(extent.id, block.enter(extent, info), info)?,
                Item::End => {
                    self.tables.seal();
                    return Some(());
                }
            }
        }
    }

    fn record(&mut self, record: &Record<'a>) -> Option<()> {
        match record.code {
            code::VERSION => return (record.value(0)? >= NAMES_APART).then_some(()),
            code::TRIPLE | code::DATALAYOUT | code::ASM | code::DEPLIB => {
                self.common.number(record.code);
                self.common.numbers(&record.values);
            }
            code::SOURCE_FILENAME => {
                self.common.number(record.code);
                self.common.numbers(&record.values);
                self.source_file = record.bytes_from(0)?;
            }
            code::VSTOFFSET | code::HASH => {}
            globals::code::SECTION_NAME => self.names.sections.push(record.bytes_from(0)?),
            globals::code::GC_NAME => self.names.gcs.push(record.bytes_from(0)?),
            globals::code::COMDAT => self.names.comdat(record)?,
            _ => {
                let global = globals::read(record, &self.names, &self.tables.types, &self.tables.attributes)?;
                self.tables.add_global(global);
            }
        }
        Some(())
    }

    fn block(&mut self, id: u32, block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        match id {
            code::TYPE_BLOCK => self.tables.types = Types::read(block, info)?,
            code::PARAMATTR_GROUP_BLOCK => {
                self.tables.attributes.read_groups(block, info, &self.tables.types)?;
            }
            code::PARAMATTR_BLOCK => self.tables.attributes.read_lists(block, info)?,
            code::CONSTANTS_BLOCK => self.tables.read_constants(block, info)?,
            code::METADATA_BLOCK => self.tables.read_metadata(block, info)?,
            code::METADATA_KIND_BLOCK => self.kinds(block, info)?,
            code::OPERAND_BUNDLE_TAGS_BLOCK | code::SYNC_SCOPE_NAMES_BLOCK => copy(block, info, &mut self.common)?,
            // Where functions are, and what the thin link has already made use of.
            code::SYMBOL_TABLE_BLOCK | code::GLOBALVAL_SUMMARY_BLOCK => {}
            _ => return None,
        }
        Some(())
    }

    /// Kinds of metadata: a number and a name each.
    fn kinds(&mut self, mut block: Block<'_>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record => {
                    let name = record.bytes_from(1)?;
                    if name == SOURCE_LOCATION {
                        self.tables.kinds.source_location = record.value(0);
                    }
                    if DEBUG_KINDS.contains(&name.as_slice()) {
                        self.tables.kinds.debug.extend(record.value(0));
                    }
                    self.common.tag(b'k');
                    self.common.numbers(&record.values);
                }
                Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    fn facts(mut self, info: &BlockInfo) -> Option<ImportFacts> {
        let unit = self.unit()?;
        let common = self.common()?;
        let variables = self.tables.globals.iter().filter(|global| global.kind == Kind::Variable);
        let variables = variables.map(|global| self.guid(global)).collect();
        let mut bodies = std::mem::take(&mut self.bodies).into_iter();
        let mut definitions = Vec::new();
        for place in 0..self.tables.globals.len() {
            let global = self.tables.globals.get(place)?;
            if !global.is_defined {
                continue;
            }
            let guid = self.guid(global);
            let body = if global.kind == Kind::Function { Some(bodies.next()?) } else { None };
            // An import of a value that others share under one name is all that is described.
            let content = if global.ties { None } else { self.definition(place, body, info) };
            definitions.push((guid, content));
        }
        unambiguous(&definitions).then_some(ImportFacts { common, unit, variables, definitions })
    }

    fn guid(&self, global: &Global) -> u64 {
        if global.is_local { local_guid(&self.source_file, &global.name) } else { guid(&global.name) }
    }

    /// Takes the compile unit out of the named metadata, with the name of its file; there may be none. `None` if more than its
    /// unit shows what an object holds of the module's debug information.
    #[expect(clippy::option_option, reason = "there may be none, or it may not be known")]
    fn unit(&mut self) -> Option<Option<String>> {
        let named = |name: &[u8]| self.tables.named_nodes.iter().position(|node| node.name == name);
        let Some(place) = named(UNITS) else { return Some(None) };
        // Probes have their places in sections of their own.
        if named(PROBES).is_some() {
            return None;
        }
        let node = self.tables.named_nodes.remove(place);
        let [unit] = node.operands[..] else { return None };
        let debug::Node::Unit(record) = self.tables.debug_node(unit)? else { return None };
        let file = debug::unit(record, |number| self.tables.string(number), &mut self.common)?;
        let debug::Node::File(name) = self.tables.debug_node(file)? else { return None };
        let name = std::str::from_utf8(self.tables.string(*name)?).ok()?.to_owned();
        self.tables.leaves_debug_out = true;
        (!name.is_empty() && !self.tables.has_unified_types).then_some(Some(name))
    }

    /// What every import takes from the module as such.
    fn common(&mut self) -> Option<Id> {
        let mut sink = self.common.clone();
        sink.tag(b's');
        sink.number(self.tables.types.named.len() as u64);
        for named in &self.tables.types.named {
            sink.id(named);
        }
        let mut reached = Reached::default();
        sink.number(self.tables.named_nodes.len() as u64);
        for node in std::mem::take(&mut self.tables.named_nodes) {
            sink.bytes(&node.name);
            sink.number(node.operands.len() as u64);
            for operand in node.operands {
                self.tables.metadata(operand, &mut sink, &mut reached)?;
            }
        }
        let Headers { distinct, reaches_local, .. } = self.headers(reached, None, &mut sink)?;
        // A definition might share the nodes, and could not tell; nor does it tell of promoted names here.
        (distinct.is_empty() && !reaches_local).then_some(sink.finish())
    }

    fn definition(&mut self, place: usize, body: Option<Block<'a>>, info: &BlockInfo) -> Option<Content> {
        let (mut sink, mut reached) = match body {
            Some(block) => {
                let described = function::describe(&mut self.tables, place, block, &mut info.clone());
                // A function has types of its own, of which only it knows.
                let has_unified_types = std::mem::take(&mut self.tables.has_unified_types);
                described.filter(|_| !(has_unified_types && self.tables.leaves_debug_out))?
            }
            None => self.variable(place)?,
        };
        reached.globals.insert((place, false));
        let Headers { distinct, reaches_local, not_dso_local, declared, variables } =
            self.headers(reached, Some(place), &mut sink)?;
        let number = |node| if self.tables.is_own(node) { Some(OWN_NODE) } else { u32::try_from(node).ok() };
        let distinct = distinct.into_iter().map(number).collect::<Option<_>>()?;
        Some(Content { id: sink.finish(), reaches_local, distinct, not_dso_local, declared, variables })
    }

    fn variable(&mut self, place: usize) -> Option<(Sink, Reached)> {
        let global = self.tables.globals.get(place)?;
        let initialiser = global.parts.first()?.checked_sub(1).filter(|_| global.kind == Kind::Variable)?;
        let (mut sink, mut reached) = (Sink::of(b'v'), Reached::default());
        self.tables.value(initialiser, &mut sink, &mut reached)?;
        Some((sink, reached))
    }

    /// Adds the headers of everything that was reached, and of what their metadata reach, in the order of names: an
    /// unrelated definition may change that of the module.
    fn headers(&mut self, mut reached: Reached, own: Option<usize>, sink: &mut Sink) -> Option<Headers> {
        let mut reaches_local = false;
        let (mut not_dso_local, mut declared, mut variables) = (Vec::new(), Vec::new(), Vec::new());
        let mut headers: BTreeMap<Vec<u8>, Id> = BTreeMap::new();
        while let Some((place, names_blocks)) = reached.globals.pop_first() {
            let global = self.tables.globals.get(place)?;
            if global.ties || (names_blocks && own != Some(place)) {
                return None;
            }
            reaches_local |= global.is_local;
            if headers.contains_key(&global.name) {
                continue;
            }
            if !global.is_local && !global.is_dso_local {
                not_dso_local.push(guid(&global.name));
            }
            if global.kind == Kind::Variable {
                variables.push(self.guid(global));
            }
            if self.tables.is_described_declaration(global) {
                declared.push(guid(&global.name));
            }
            let name = global.name.clone();
            let mut header = Sink::of(b'H');
            header.id(&global.header);
            for (kind, number) in global.attachments.clone() {
                function::attachment(&mut self.tables, kind, number, &mut header, &mut reached)?;
            }
            headers.insert(name, header.finish());
        }
        sink.number(headers.len() as u64);
        for header in headers.values() {
            sink.id(header);
        }
        Some(Headers { distinct: reached.distinct, reaches_local, not_dso_local, declared, variables })
    }
}

/// What was found out of the values whose headers are in a description.
struct Headers {
    /// Distinct nodes of metadata.
    distinct: Vec<usize>,
    /// Any of the values is a local one.
    reaches_local: bool,
    /// The GUIDs of those that are not `dso_local`.
    not_dso_local: Vec<u64>,
    /// The GUIDs of functions that are only declared, with a description for debug information.
    declared: Vec<u64>,
    /// The GUIDs of variables.
    variables: Vec<u64>,
}

fn unambiguous(definitions: &[(u64, Option<Content>)]) -> bool {
    let guids: BTreeSet<u64> = definitions.iter().map(|(guid, _)| *guid).collect();
    guids.len() == definitions.len()
}
