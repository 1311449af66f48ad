//! What the plan needs to know of one bitcode file: its producer, its target, its part in LTO, and the files that its
//! assembly names.
//!
//! Instructions are never read. A function's block is left at its first instruction, as LLVM numbers a function's
//! constants, inline asm among them, in front of its instructions and so writes them there.

pub mod asm_inputs;
mod asm_lexer;
pub mod bitstream;
pub mod bitstream_writer;
pub mod definitions;
pub(crate) mod guid;
pub mod module_flags;
pub mod written_by;

mod values;

use asm_inputs::AsmInput;
use bitstream::{BitstreamError, Block, BlockInfo, Extent, Item, Record};
use definitions::Definitions;
use guid::guid;
use module_flags::{FlagError, FlagReader, FlagValue};
use std::collections::{BTreeMap, BTreeSet};

/// Block and record numbers of LLVM's `LLVMBitCodes.h`, which never change their meaning.
mod code {
    pub(crate) const MODULE_BLOCK: u32 = 8;
    pub(crate) const CONSTANTS_BLOCK: u32 = 11;
    pub(crate) const FUNCTION_BLOCK: u32 = 12;
    pub(crate) const IDENTIFICATION_BLOCK: u32 = 13;
    pub(crate) const METADATA_BLOCK: u32 = 15;
    pub(crate) const TYPE_BLOCK: u32 = 17;
    pub(crate) const GLOBALVAL_SUMMARY_BLOCK: u32 = 20;
    pub(crate) const FULL_LTO_GLOBALVAL_SUMMARY_BLOCK: u32 = 24;

    pub(crate) const IDENTIFICATION_STRING: u64 = 1;
    pub(crate) const IDENTIFICATION_EPOCH: u64 = 2;

    pub(crate) const MODULE_TRIPLE: u64 = 2;
    pub(crate) const MODULE_ASM: u64 = 4;
    pub(crate) const MODULE_HASH: u64 = 17;
    /// Variable, function, old alias, alias, ifunc: each is a value.
    pub(crate) const MODULE_VALUES: [u64; 5] = [7, 8, 9, 14, 18];

    pub(crate) const STRTAB_BLOCK: u32 = 23;
    pub(crate) const STRTAB_BLOB: u64 = 1;

    pub(crate) const FUNC_DECLAREBLOCKS: u64 = 1;
    pub(crate) const FUNC_BLOCKADDR_USERS: u64 = 60;

    /// Flags, length of the template, template, length of the constraints, constraints.
    pub(crate) const CST_INLINEASM_WITHOUT_TYPE: [u64; 3] = [18, 23, 28];
    /// The same after a function type.
    pub(crate) const CST_INLINEASM: u64 = 30;
}

/// The module flag that says so.
const DEBUG_INFORMATION: &str = "Debug Info Version";

/// The epoch of all bitcode so far; LLVM will raise it when old readers can no longer make sense of new files.
const EPOCH: u64 = 0;

/// How a module takes part in LTO, which its summary block decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LtoKind {
    /// It has a summary for ThinLTO.
    Thin,
    /// It has a summary for regular LTO.
    Regular,
    /// It has none; a linker adds it to the regular-LTO module.
    Unsummarised,
}

/// What one bitcode file says of itself.
///
/// Where the file holds two modules (hybrid), this is the one for ThinLTO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFacts {
    /// Who wrote it: `LLVM22.1.8`, or `LLVM22.1.2-rust-1.95.0-stable`.
    pub producer: String,
    /// LLVM's major version, where the producer names it.
    pub llvm_major: Option<u32>,
    /// The target triple, normalised by the compiler that wrote it.
    pub triple: String,
    /// LLVM's hash of the module, which indexes repeat; `None` if the compiler wrote none.
    pub hash: Option<[u32; 5]>,
    /// How it takes part in LTO.
    pub kind: LtoKind,
    /// A part of the file goes into regular LTO.
    pub has_regular_part: bool,
    /// All module flags that are a number or a text.
    pub flags: BTreeMap<String, FlagValue>,
    /// Module flag "PIC Level".
    pub pic_level: Option<u32>,
    /// Module flag "target-abi".
    pub target_abi: Option<String>,
    /// Names of the symbols that the file defines so that another file's definition may be taken instead: weak, linkonce,
    /// common. Those of module asm are not among them.
    pub yielding: Vec<String>,
    /// GUIDs of the global values, declared or defined, that are not `dso_local`: code that was compiled as `-fno-pic` has
    /// next to none.
    pub not_dso_local: Vec<u64>,
    /// GUIDs of the functions that it only declares, if it has debug information.
    pub declared_functions: BTreeSet<u64>,
    /// GUIDs of the variables that it declares or defines, but for local ones.
    pub variables: BTreeSet<u64>,
    /// What the file's parts for regular LTO define, as far as these have summaries: so it is in the link's combined index.
    pub regular: Definitions,
    /// Assembly text stands outside of all functions.
    pub has_module_asm: bool,
    /// The files that module asm and inline asm name, sorted, each once.
    pub asm_inputs: Vec<AsmInput>,
}

/// Why a bitcode file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BitcodeError {
    /// The container is broken.
    #[error("bitcode: {0}")]
    Bitstream(#[from] BitstreamError),
    /// No one says who wrote it: older than LLVM 3.8, or no module at all.
    #[error("bitcode: no identification block before the module")]
    Unidentified,
    /// A format after a break that has not happened yet.
    #[error("bitcode: epoch {epoch} of producer {producer:?}; this program reads epoch {EPOCH}")]
    Epoch {
        /// Who wrote it.
        producer: String,
        /// What it says.
        epoch: u64,
    },
    /// There is no module in it.
    #[error("bitcode: no module in it")]
    NoModule,
    /// A record that makes no sense.
    #[error("bitcode: malformed {0}")]
    Malformed(&'static str),
    /// The module flags make no sense.
    #[error("bitcode: {0}")]
    Flags(#[from] FlagError),
}

/// Reads what the plan must know of a bitcode file.
///
/// # Errors
/// The bytes are no bitcode, are truncated or malformed, or of another epoch.
pub fn read_module(bytes: &[u8]) -> Result<ModuleFacts, BitcodeError> {
    let bytes = bitstream::unwrap_bitcode(bytes)?;
    let (mut info, mut record) = (BlockInfo::default(), Record::default());
    let mut top = Block::top_level(bytes);
    let mut identification = None;
    let mut modules = Vec::new();
    loop {
        match top.next(&mut info, &mut record)? {
            Item::Block(extent) if extent.id == code::IDENTIFICATION_BLOCK => {
                identification = Some(Identification::read(top.enter(extent, &info), &mut info)?);
            }
            Item::Block(extent) if extent.id == code::MODULE_BLOCK => {
                let identification = identification.clone().ok_or(BitcodeError::Unidentified)?;
                // BLOCKINFO inside a module holds for that module only.
                let mut info = BlockInfo::default();
                let reader = ModuleReader::read(top.enter(extent, &info), &mut info)?;
                modules.push(reader.module(identification)?);
            }
            Item::Block(extent) if extent.id == code::STRTAB_BLOCK => {
                let names = read_names(top.enter(extent, &info), &mut info)?;
                modules.iter_mut().for_each(|module| module.name(names));
            }
            Item::Block(_) | Item::Record => {}
            Item::End => return choose(modules),
        }
    }
}

/// A module whose names are in a table that follows it.
struct Unnamed {
    facts: ModuleFacts,
    /// Offset and length of each yielding symbol's name.
    yielding: Vec<(u64, u64)>,
    /// The same of each value that is not `dso_local`.
    not_dso_local: Vec<(u64, u64)>,
    /// The same of each function that is only declared, if there is debug information.
    declared_functions: Vec<(u64, u64)>,
    /// The same of each variable that is not local.
    variables: Vec<(u64, u64)>,
    /// The same of each definition, and whether it is `dso_local`.
    definitions: Vec<((u64, u64), bool)>,
}

impl Unnamed {
    /// Takes the names out of the first table behind the module, which is its own.
    fn name(&mut self, names: &[u8]) {
        let range = |(offset, length): (u64, u64)| {
            let start = usize::try_from(offset).ok()?;
            names.get(start..start.checked_add(usize::try_from(length).ok()?)?)
        };
        let yielding = self.yielding.drain(..).filter_map(range);
        self.facts.yielding.extend(yielding.map(|name| String::from_utf8_lossy(name).into_owned()));
        self.facts.not_dso_local.extend(self.not_dso_local.drain(..).filter_map(range).map(guid));
        self.facts.declared_functions.extend(self.declared_functions.drain(..).filter_map(range).map(guid));
        self.facts.variables.extend(self.variables.drain(..).filter_map(range).map(guid));
        for (name, is_dso_local) in self.definitions.drain(..) {
            range(name).into_iter().for_each(|name| self.facts.regular.add(guid(name), is_dso_local));
        }
    }
}

fn read_names<'a>(mut block: Block<'a>, info: &mut BlockInfo) -> Result<&'a [u8], BitcodeError> {
    let mut record = Record::default();
    loop {
        match block.next(info, &mut record)? {
            Item::Record if record.code == code::STRTAB_BLOB => return Ok(record.blob),
            Item::Record | Item::Block(_) => {}
            Item::End => return Ok(&[]),
        }
    }
}

fn choose(modules: Vec<Unnamed>) -> Result<ModuleFacts, BitcodeError> {
    let yielding = modules.iter().flat_map(|module| module.facts.yielding.clone()).collect();
    let mut regular = Definitions::default();
    for module in &modules {
        regular.guids.extend(&module.facts.regular.guids);
        regular.dso_local.extend(&module.facts.regular.dso_local);
    }
    let mut modules: Vec<ModuleFacts> = modules.into_iter().map(|module| module.facts).collect();
    let has_regular_part = modules.iter().any(|module| module.kind != LtoKind::Thin);
    let thin = modules.iter().position(|module| module.kind == LtoKind::Thin).unwrap_or(0);
    if modules.is_empty() {
        return Err(BitcodeError::NoModule);
    }
    Ok(ModuleFacts { has_regular_part, yielding, regular, ..modules.swap_remove(thin) })
}

#[derive(Clone)]
struct Identification {
    producer: String,
}

impl Identification {
    fn read(mut block: Block<'_>, info: &mut BlockInfo) -> Result<Self, BitcodeError> {
        let mut record = Record::default();
        let mut producer = String::new();
        let mut epoch = None;
        loop {
            match block.next(info, &mut record)? {
                Item::Record if record.code == code::IDENTIFICATION_STRING => {
                    producer = text(&record, "producer")?;
                }
                Item::Record if record.code == code::IDENTIFICATION_EPOCH => epoch = record.value(0),
                Item::Record | Item::Block(_) => {}
                Item::End => break,
            }
        }
        match epoch.ok_or(BitcodeError::Malformed("identification block: no epoch"))? {
            EPOCH => Ok(Self { producer }),
            epoch => Err(BitcodeError::Epoch { producer, epoch }),
        }
    }

    fn llvm_major(&self) -> Option<u32> {
        let version = self.producer.strip_prefix("LLVM")?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// A record that is a text, in whatever encoding the compiler was given it.
fn text(record: &Record<'_>, what: &'static str) -> Result<String, BitcodeError> {
    let bytes = record.bytes_from(0).ok_or(BitcodeError::Malformed(what))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Collects what one module block says.
#[derive(Default)]
struct ModuleReader<'a> {
    triple: String,
    hash: Option<[u32; 5]>,
    kind: Option<LtoKind>,
    flags: FlagReader<'a>,
    /// Offset and length of each yielding symbol's name in the table that follows the modules.
    yielding: Vec<(u64, u64)>,
    /// The same of each value that is not `dso_local`.
    not_dso_local: Vec<(u64, u64)>,
    /// The same of each function that is only declared.
    declared_functions: Vec<(u64, u64)>,
    /// The same of each variable that is not local.
    variables: Vec<(u64, u64)>,
    /// The same of each definition, and whether it is `dso_local`.
    definitions: Vec<((u64, u64), bool)>,
    has_module_asm: bool,
    asm_inputs: Vec<AsmInput>,
    /// Reused, as most of the time goes into reading records.
    scratch: Record<'a>,
}

impl<'a> ModuleReader<'a> {
    fn read(mut block: Block<'a>, info: &mut BlockInfo) -> Result<Self, BitcodeError> {
        let mut this = Self::default();
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record)? {
                Item::Record => this.record(&record)?,
                Item::Block(extent) => this.block(&block, extent, info)?,
                Item::End => return Ok(this),
            }
        }
    }

    fn record(&mut self, record: &Record<'a>) -> Result<(), BitcodeError> {
        match record.code {
            code::MODULE_TRIPLE => self.triple = text(record, "target triple")?,
            code::MODULE_HASH => self.hash = hash(record),
            code::MODULE_ASM => {
                self.has_module_asm = true;
                self.asm_inputs.extend(asm_inputs::scan(&text(record, "module asm")?, false));
            }
            value if code::MODULE_VALUES.contains(&value) => {
                self.flags.global();
                self.yielding.extend(values::yielding_name(record));
                self.not_dso_local.extend(values::name_if_not_dso_local(record));
                self.declared_functions.extend(values::declared_function(record));
                self.variables.extend(values::variable_name(record));
                self.definitions.extend(values::definition(record));
            }
            _ => {}
        }
        Ok(())
    }

    fn block(&mut self, module: &Block<'a>, extent: Extent, info: &mut BlockInfo) -> Result<(), BitcodeError> {
        match extent.id {
            code::TYPE_BLOCK => Ok(self.flags.types(module.enter(extent, info), info)?),
            code::METADATA_BLOCK => Ok(self.flags.metadata(module.enter(extent, info), info)?),
            code::CONSTANTS_BLOCK => self.module_constants(module.enter(extent, info), info),
            code::FUNCTION_BLOCK => self.function(module.enter(extent, info), info),
            code::GLOBALVAL_SUMMARY_BLOCK => self.has_summary(LtoKind::Thin),
            code::FULL_LTO_GLOBALVAL_SUMMARY_BLOCK => self.has_summary(LtoKind::Regular),
            _ => Ok(()),
        }
    }

    fn has_summary(&mut self, kind: LtoKind) -> Result<(), BitcodeError> {
        self.kind = Some(kind);
        Ok(())
    }

    fn module_constants(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Result<(), BitcodeError> {
        self.flags.begin_constants();
        loop {
            match block.next(info, &mut self.scratch)? {
                Item::Record => {
                    self.flags.constant(&self.scratch);
                    self.inline_asm()?;
                }
                Item::Block(_) => {}
                Item::End => return Ok(()),
            }
        }
    }

    /// Reads a function as far as its first instruction.
    fn function(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Result<(), BitcodeError> {
        loop {
            match block.next(info, &mut self.scratch)? {
                Item::Block(extent) if extent.id == code::CONSTANTS_BLOCK => {
                    self.function_constants(block.enter(extent, info), info)?;
                }
                Item::Record if matches!(self.scratch.code, code::FUNC_DECLAREBLOCKS | code::FUNC_BLOCKADDR_USERS) => {}
                Item::Block(_) => {}
                Item::Record | Item::End => return Ok(()),
            }
        }
    }

    fn function_constants(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Result<(), BitcodeError> {
        loop {
            match block.next(info, &mut self.scratch)? {
                Item::Record => self.inline_asm()?,
                Item::Block(_) => {}
                Item::End => return Ok(()),
            }
        }
    }

    /// Scans the constant just read, if it is inline asm.
    fn inline_asm(&mut self) -> Result<(), BitcodeError> {
        let length_at = match self.scratch.code {
            code if code::CST_INLINEASM_WITHOUT_TYPE.contains(&code) => 1,
            code::CST_INLINEASM => 2,
            _ => return Ok(()),
        };
        let malformed = || BitcodeError::Malformed("inline asm");
        let length = self.scratch.value(length_at).and_then(|length| usize::try_from(length).ok());
        let rest = self.scratch.values.get(length_at + 1..).ok_or_else(malformed)?;
        let template = length.and_then(|length| rest.get(..length)).ok_or_else(malformed)?;
        let template = bitstream::bytes(template).ok_or_else(malformed)?;
        self.asm_inputs.extend(asm_inputs::scan(&String::from_utf8_lossy(&template), true));
        Ok(())
    }

    fn module(mut self, identification: Identification) -> Result<Unnamed, BitcodeError> {
        let yielding = std::mem::take(&mut self.yielding);
        let not_dso_local = std::mem::take(&mut self.not_dso_local);
        let declared_functions = std::mem::take(&mut self.declared_functions);
        let variables = std::mem::take(&mut self.variables);
        let mut definitions = std::mem::take(&mut self.definitions);
        if self.kind != Some(LtoKind::Regular) {
            definitions.clear();
        }
        let facts = self.facts(identification)?;
        let has_debug_information = facts.flags.contains_key(DEBUG_INFORMATION);
        let declared_functions = declared_functions.into_iter().filter(|_| has_debug_information).collect();
        Ok(Unnamed { yielding, not_dso_local, declared_functions, variables, definitions, facts })
    }

    fn facts(self, identification: Identification) -> Result<ModuleFacts, BitcodeError> {
        let flags = self.flags.finish()?;
        let number = |name: &str| flags.get(name).and_then(FlagValue::number).and_then(|n| u32::try_from(n).ok());
        let kind = self.kind.unwrap_or(LtoKind::Unsummarised);
        Ok(ModuleFacts {
            llvm_major: identification.llvm_major(),
            producer: identification.producer,
            triple: self.triple,
            hash: self.hash,
            kind,
            has_regular_part: kind != LtoKind::Thin,
            pic_level: number("PIC Level"),
            target_abi: flags.get("target-abi").and_then(FlagValue::text).map(str::to_owned),
            flags,
            yielding: Vec::new(),
            not_dso_local: Vec::new(),
            declared_functions: BTreeSet::new(),
            variables: BTreeSet::new(),
            regular: Definitions::default(),
            has_module_asm: self.has_module_asm,
            asm_inputs: sorted(self.asm_inputs),
        })
    }
}

fn hash(record: &Record<'_>) -> Option<[u32; 5]> {
    let words: Option<Vec<u32>> = record.values.iter().map(|value| u32::try_from(*value).ok()).collect();
    words?.try_into().ok()
}

fn sorted(mut inputs: Vec<AsmInput>) -> Vec<AsmInput> {
    inputs.sort();
    inputs.dedup();
    inputs
}
