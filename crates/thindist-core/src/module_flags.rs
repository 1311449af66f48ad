//! A module's flags, such as "PIC Level" and "Code Model", which a compiler leaves for the code generator.
//!
//! They are the named metadata `!llvm.module.flags`: nodes of a behaviour, a name and a value. A name is a string of
//! the metadata block; a value is most often a constant, which metadata names by its number among the module's values;
//! whether a null constant is the number zero depends on its type. So types, values and metadata are numbered here as
//! LLVM's reader numbers them, and nothing else of them is kept.

use crate::bitstream::{self, BitstreamError, Block, BlockInfo, Item, Record};
use std::borrow::Cow;
use std::collections::BTreeMap;

mod code {
    pub(super) const TYPE_NUMENTRY: u64 = 1;
    pub(super) const TYPE_INTEGER: u64 = 7;
    pub(super) const TYPE_STRUCT_NAME: u64 = 19;

    pub(super) const CST_SETTYPE: u64 = 1;
    pub(super) const CST_NULL: u64 = 2;
    pub(super) const CST_INTEGER: u64 = 4;

    pub(super) const METADATA_VALUE: u64 = 2;
    pub(super) const METADATA_NODE: u64 = 3;
    pub(super) const METADATA_NAME: u64 = 4;
    pub(super) const METADATA_KIND: u64 = 6;
    pub(super) const METADATA_NAMED_NODE: u64 = 10;
    pub(super) const METADATA_STRINGS: u64 = 35;
    pub(super) const METADATA_GLOBAL_DECL_ATTACHMENT: u64 = 36;
    pub(super) const METADATA_INDEX_OFFSET: u64 = 38;
    pub(super) const METADATA_INDEX: u64 = 39;
}

const MODULE_FLAGS: &[u8] = b"llvm.module.flags";

/// The value of one module flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagValue {
    /// An integer constant.
    Number(i64),
    /// A string.
    Text(String),
    /// A node or another constant.
    Other,
}

impl FlagValue {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Why a module's flags could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// The container is broken.
    #[error(transparent)]
    Bitstream(#[from] BitstreamError),
    /// A record that makes no sense.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

/// One numbered piece of metadata.
#[derive(Clone)]
enum Metadata<'a> {
    String(&'a [u8]),
    /// The number of a value.
    Value(u64),
    /// Three operands, one more than their numbers each, as null is zero.
    Triple([u64; 3]),
    Other,
}

/// Collects the flags of one module while its blocks are read in order.
#[derive(Default)]
pub(crate) struct FlagReader<'a> {
    /// For each type, whether it is an integer.
    types: Vec<bool>,
    /// For each value, the number that it is, if it is one.
    values: Vec<Option<i64>>,
    /// Whether the constants that follow are integers.
    integers_follow: bool,
    metadata: Vec<Metadata<'a>>,
    /// The nodes of `!llvm.module.flags`.
    flags: Vec<u64>,
}

impl<'a> FlagReader<'a> {
    /// Counts a global value, which comes before all constants.
    pub(crate) fn global(&mut self) {
        self.values.push(None);
    }

    pub(crate) fn types(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Result<(), FlagError> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record)? {
                Item::Record if matches!(record.code, code::TYPE_NUMENTRY | code::TYPE_STRUCT_NAME) => {}
                Item::Record => self.types.push(record.code == code::TYPE_INTEGER),
                Item::Block(_) => {}
                Item::End => return Ok(()),
            }
        }
    }

    /// A block of constants begins; until it says otherwise they are 32-bit integers.
    pub(crate) fn begin_constants(&mut self) {
        self.integers_follow = true;
    }

    /// Counts a constant: every record is one, also of a kind that is newer than this program.
    pub(crate) fn constant(&mut self, record: &Record<'a>) {
        let first = record.value(0);
        if record.code == code::CST_SETTYPE {
            let known = first.and_then(|id| usize::try_from(id).ok()).and_then(|id| self.types.get(id));
            self.integers_follow = known.copied().unwrap_or(false);
            return;
        }
        self.values.push(match record.code {
            code::CST_INTEGER => first.map(sign_rotated),
            code::CST_NULL if self.integers_follow => Some(0),
            _ => None,
        });
    }

    pub(crate) fn metadata(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Result<(), FlagError> {
        let mut record = Record::default();
        let mut names_flags = false;
        loop {
            match block.next(info, &mut record)? {
                Item::Record => names_flags = self.metadata_record(&record, names_flags)?,
                Item::Block(_) => {}
                Item::End => return Ok(()),
            }
        }
    }

    /// Returns whether the next record is the list of flags, as this one gave it its name.
    fn metadata_record(&mut self, record: &Record<'a>, names_flags: bool) -> Result<bool, FlagError> {
        let entry = match record.code {
            code::METADATA_NAME => return Ok(record.bytes_from(0).is_some_and(|name| name == MODULE_FLAGS)),
            code::METADATA_NAMED_NODE => {
                if names_flags {
                    self.flags.clone_from(&record.values);
                }
                return Ok(false);
            }
            code::METADATA_STRINGS => {
                self.metadata.extend(strings(record)?.into_iter().map(Metadata::String));
                return Ok(false);
            }
            code::METADATA_KIND
            | code::METADATA_GLOBAL_DECL_ATTACHMENT
            | code::METADATA_INDEX_OFFSET
            | code::METADATA_INDEX => return Ok(false),
            code::METADATA_VALUE => record.value(1).map_or(Metadata::Other, Metadata::Value),
            code::METADATA_NODE => record.values.as_slice().try_into().map_or(Metadata::Other, Metadata::Triple),
            _ => Metadata::Other,
        };
        self.metadata.push(entry);
        Ok(false)
    }

    pub(crate) fn finish(&self) -> Result<BTreeMap<String, FlagValue>, FlagError> {
        let malformed = || FlagError::Malformed("module flags");
        let mut flags = BTreeMap::new();
        for node in &self.flags {
            let Some(Metadata::Triple([_, name, value])) = self.entry(*node) else { return Err(malformed()) };
            let name = self.operand(*name).and_then(text).ok_or_else(malformed)?;
            let value = self.operand(*value).ok_or_else(malformed)?;
            flags.insert(name.into_owned(), self.flag_value(value));
        }
        Ok(flags)
    }

    fn entry(&self, number: u64) -> Option<&Metadata<'a>> {
        self.metadata.get(usize::try_from(number).ok()?)
    }

    fn operand(&self, operand: u64) -> Option<&Metadata<'a>> {
        self.entry(operand.checked_sub(1)?)
    }

    fn flag_value(&self, entry: &Metadata<'a>) -> FlagValue {
        if let Metadata::Value(number) = entry {
            let value = usize::try_from(*number).ok().and_then(|number| self.values.get(number));
            return value.copied().flatten().map_or(FlagValue::Other, FlagValue::Number);
        }
        text(entry).map_or(FlagValue::Other, |text| FlagValue::Text(text.into_owned()))
    }
}

fn text<'a>(entry: &Metadata<'a>) -> Option<Cow<'a, str>> {
    if let Metadata::String(bytes) = entry { Some(String::from_utf8_lossy(bytes)) } else { None }
}

/// All strings in one record of metadata: how many, where the characters begin, and a blob of lengths and characters.
pub(crate) fn strings<'a>(record: &Record<'a>) -> Result<Vec<&'a [u8]>, FlagError> {
    let malformed = || FlagError::Malformed("metadata strings");
    let offset = record.value(1).and_then(|offset| usize::try_from(offset).ok());
    let parts = offset.and_then(|offset| record.blob.split_at_checked(offset));
    let ((lengths, mut characters), count) = parts.zip(record.value(0)).ok_or_else(malformed)?;
    let mut strings = Vec::new();
    for length in bitstream::vbr6_list(lengths, count)? {
        let parts = usize::try_from(length).ok().and_then(|length| characters.split_at_checked(length));
        let (string, rest) = parts.ok_or_else(malformed)?;
        strings.push(string);
        characters = rest;
    }
    Ok(strings)
}

/// The sign is the lowest bit; a negative zero is the lowest of all numbers.
fn sign_rotated(value: u64) -> i64 {
    let magnitude = (value >> 1).cast_signed();
    match value {
        1 => i64::MIN,
        _ if value & 1 == 1 => -magnitude,
        _ => magnitude,
    }
}
