//! LLVM's bitstream container: the blocks, records and abbreviations of every bitcode file and index.
//!
//! It knows no block's meaning. A reader of our own rather than the crate `llvm-bitcode`, for two reasons seen in that
//! crate's source (0.4.1): it reserves memory for as many elements as a record claims, so that a flipped bit aborts
//! the process, and it does not say where a block begins, without which a block cannot be replaced.
//!
//! Every length is checked against the bits that are left before anything is reserved, so memory is bounded by the
//! file's size, and nothing recurses, so the stack is bounded as well.

use std::collections::BTreeMap;
use std::rc::Rc;

/// The first four bytes of raw bitcode.
pub const MAGIC: [u8; 4] = *b"BC\xc0\xde";
/// The first four bytes of bitcode in a wrapper: magic, version, offset, size and CPU type, 32 bits each.
pub const WRAPPER_MAGIC: [u8; 4] = 0x0B17_C0DE_u32.to_le_bytes();

/// The abbreviation ids that have a meaning of their own in each block.
pub(crate) mod abbreviation_id {
    pub(crate) const END_BLOCK: u64 = 0;
    pub(crate) const ENTER_SUBBLOCK: u64 = 1;
    pub(crate) const DEFINE_ABBREV: u64 = 2;
    pub(crate) const UNABBREV_RECORD: u64 = 3;
}

const BLOCKINFO_BLOCK: u32 = 0;
const SETBID: u64 = 1;
const TOP_LEVEL_WIDTH: u32 = 2;

/// What is wrong with a bitstream, and at which byte of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BitstreamError {
    /// Neither raw nor wrapped bitcode.
    #[error("not bitcode: the file begins with {0:02x?}")]
    NotBitcode(Vec<u8>),
    /// The wrapper names bytes that the file does not have.
    #[error("the bitcode wrapper names bytes {offset} to {end}, but the file has {size}")]
    Wrapper {
        /// Where the wrapped bitcode would begin.
        offset: u64,
        /// Where it would end.
        end: u64,
        /// What the file has.
        size: usize,
    },
    /// The bits end too early.
    #[error("truncated: {what} at byte {at} goes beyond the end of its block")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// The byte, counted from the bitcode's magic.
        at: usize,
    },
    /// The bits make no sense.
    #[error("malformed at byte {at}: {what}")]
    Malformed {
        /// What makes no sense.
        what: &'static str,
        /// The byte, counted from the bitcode's magic.
        at: usize,
    },
}

/// The bitcode itself, from its magic on, without a wrapper.
///
/// # Errors
/// The bytes are no bitcode, or the wrapper names bytes that are not there.
pub fn unwrap_bitcode(bytes: &[u8]) -> Result<&[u8], BitstreamError> {
    if bytes.starts_with(&WRAPPER_MAGIC) {
        let word = |at| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).map(u64::from);
        let (offset, size) = (word(8).unwrap_or(u64::MAX), word(12).unwrap_or(u64::MAX));
        let end = offset.saturating_add(size);
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        let inner = range.and_then(|(from, to)| bytes.get(from..to));
        return unwrap_raw(inner.ok_or(BitstreamError::Wrapper { offset, end, size: bytes.len() })?);
    }
    unwrap_raw(bytes)
}

fn unwrap_raw(bytes: &[u8]) -> Result<&[u8], BitstreamError> {
    if bytes.starts_with(&MAGIC) {
        return Ok(bytes);
    }
    Err(BitstreamError::NotBitcode(bytes.get(..4).unwrap_or(bytes).to_vec()))
}

/// A place in the bits of one block, never beyond the block's end.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
    /// In bits.
    end: usize,
}

impl<'a> Cursor<'a> {
    fn truncated(&self, what: &'static str) -> BitstreamError {
        BitstreamError::Truncated { what, at: self.at / 8 }
    }

    fn malformed(&self, what: &'static str) -> BitstreamError {
        BitstreamError::Malformed { what, at: self.at / 8 }
    }

    fn left(&self) -> usize {
        self.end - self.at
    }

    /// Up to 32 bits, the widest field that LLVM writes.
    #[inline]
    fn bits(&mut self, width: u32) -> Result<u64, BitstreamError> {
        debug_assert!(width <= 32, "abbreviations are checked where they are defined");
        if width as usize > self.left() {
            return Err(self.truncated("a field"));
        }
        let value = (self.word() >> (self.at % 8)) & ((1 << width) - 1);
        self.at += width as usize;
        Ok(value)
    }

    /// The eight bytes from the current one on, as far as there are any; 57 bits of them are still to be read.
    #[inline]
    fn word(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        if let Some(eight) = rest.first_chunk() {
            return u64::from_le_bytes(*eight);
        }
        rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// A number in chunks of `width` bits, whose highest bit says that another chunk follows.
    #[inline]
    fn vbr(&mut self, width: u32) -> Result<u64, BitstreamError> {
        let more = 1 << (width - 1);
        let mut value = 0;
        let mut shift = 0;
        loop {
            let chunk = self.bits(width)?;
            if shift >= 64 {
                return Err(self.malformed("a variable-width number of more than 64 bits"));
            }
            value |= (chunk & (more - 1)) << shift;
            if chunk & more == 0 {
                return Ok(value);
            }
            shift += width - 1;
        }
    }

    fn align32(&mut self) -> Result<(), BitstreamError> {
        let aligned = self.at.next_multiple_of(32);
        if aligned > self.end {
            return Err(self.truncated("padding to 32 bits"));
        }
        self.at = aligned;
        Ok(())
    }

    /// A count of things of which each takes at least `each` bits.
    fn count(&mut self, width: u32, each: u32) -> Result<usize, BitstreamError> {
        let count = self.vbr(width)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() / each as usize => Ok(count),
            _ => Err(self.truncated("a list")),
        }
    }

    fn blob(&mut self) -> Result<&'a [u8], BitstreamError> {
        let length = self.vbr(6)?;
        self.align32()?;
        let from = self.at / 8;
        let to = usize::try_from(length).ok().and_then(|length| from.checked_add(length));
        let to = to.filter(|to| *to <= self.end / 8).ok_or_else(|| self.truncated("a blob"))?;
        let blob = self.bytes.get(from..to).ok_or_else(|| self.truncated("a blob"))?;
        self.at = to * 8;
        self.align32()?;
        Ok(blob)
    }
}

/// How one field of an abbreviated record is stored.
#[derive(Debug, Clone, Copy)]
enum Field {
    Literal(u64),
    Fixed(u32),
    Vbr(u32),
    Char6,
}

impl Field {
    #[inline]
    fn read(self, cursor: &mut Cursor<'_>) -> Result<u64, BitstreamError> {
        const CHAR6: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";
        match self {
            Self::Literal(value) => Ok(value),
            Self::Fixed(width) => cursor.bits(width),
            Self::Vbr(width) => cursor.vbr(width),
            // Six bits are always below 64.
            Self::Char6 => Ok(CHAR6.get(usize::try_from(cursor.bits(6)?).unwrap_or(0)).copied().map_or(0, u64::from)),
        }
    }

    /// The fewest bits that one such field takes.
    fn least_bits(self) -> u32 {
        match self {
            Self::Literal(_) => 0,
            Self::Fixed(width) | Self::Vbr(width) => width,
            Self::Char6 => 6,
        }
    }
}

/// What follows the scalar fields of an abbreviated record.
#[derive(Debug, Clone, Copy)]
enum Tail {
    None,
    Array(Field),
    Blob,
}

#[derive(Debug)]
struct Abbreviation {
    code: Field,
    fields: Vec<Field>,
    tail: Tail,
}

/// One operand of an abbreviation's definition.
enum Operand {
    Scalar(Field),
    Array,
    Blob,
}

impl Operand {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, BitstreamError> {
        if cursor.bits(1)? == 1 {
            return Ok(Self::Scalar(Field::Literal(cursor.vbr(8)?)));
        }
        Ok(match cursor.bits(3)? {
            1 => Self::Scalar(Self::width(cursor)?.map_or(Field::Literal(0), Field::Fixed)),
            2 => Self::Scalar(match Self::width(cursor)? {
                Some(1) => return Err(cursor.malformed("an abbreviation with a one-bit variable-width field")),
                width => width.map_or(Field::Literal(0), Field::Vbr),
            }),
            3 => Self::Array,
            4 => Self::Scalar(Field::Char6),
            5 => Self::Blob,
            _ => return Err(cursor.malformed("an abbreviation with an unknown encoding")),
        })
    }

    /// A width of none stands for a field that is always zero.
    fn width(cursor: &mut Cursor<'_>) -> Result<Option<u32>, BitstreamError> {
        match u32::try_from(cursor.vbr(5)?) {
            Ok(0) => Ok(None),
            Ok(width @ 1..=32) => Ok(Some(width)),
            _ => Err(cursor.malformed("an abbreviation with a field wider than 32 bits")),
        }
    }
}

impl Abbreviation {
    fn define(cursor: &mut Cursor<'_>) -> Result<Self, BitstreamError> {
        // Each operand takes at least four bits.
        let count = cursor.count(5, 4)?;
        let mut fields = Vec::with_capacity(count);
        let mut tail = Tail::None;
        let mut left = count;
        while left > 0 {
            left -= 1;
            match (Operand::read(cursor)?, left) {
                (Operand::Scalar(field), _) => fields.push(field),
                (Operand::Array, 1) => {
                    tail = Tail::Array(Self::element(cursor)?);
                    left = 0;
                }
                (Operand::Blob, 0) => tail = Tail::Blob,
                _ => return Err(cursor.malformed("an abbreviation with an array or blob that is not its last field")),
            }
        }
        if fields.is_empty() {
            return Err(cursor.malformed("an abbreviation without a record code"));
        }
        Ok(Self { code: fields.remove(0), fields, tail })
    }

    /// An element of no bits would let a few bits claim any number of elements.
    fn element(cursor: &mut Cursor<'_>) -> Result<Field, BitstreamError> {
        match Operand::read(cursor)? {
            Operand::Scalar(field) if field.least_bits() > 0 => Ok(field),
            _ => Err(cursor.malformed("an abbreviation with an array of something else than numbers")),
        }
    }

    fn read<'a>(&self, cursor: &mut Cursor<'a>, record: &mut Record<'a>) -> Result<(), BitstreamError> {
        record.code = self.code.read(cursor)?;
        for field in &self.fields {
            record.values.push(field.read(cursor)?);
        }
        match self.tail {
            Tail::None => {}
            Tail::Blob => record.blob = cursor.blob()?,
            Tail::Array(element) => {
                let count = cursor.count(6, element.least_bits())?;
                record.values.reserve(count);
                for _ in 0..count {
                    record.values.push(element.read(cursor)?);
                }
            }
        }
        Ok(())
    }
}

/// One record: a code and numbers, and sometimes bytes. Reused from one record to the next.
#[derive(Debug, Default)]
pub struct Record<'a> {
    /// What the record is, in its block's terms.
    pub code: u64,
    /// Its numbers; an array's elements are the last ones.
    pub values: Vec<u64>,
    /// Its bytes, where it has any.
    pub blob: &'a [u8],
}

impl Record<'_> {
    /// The number at `place`, or `None` where the record is shorter.
    #[must_use]
    pub fn value(&self, place: usize) -> Option<u64> {
        self.values.get(place).copied()
    }

    /// The numbers from `place` on as characters; `None` where one of them is none.
    #[must_use]
    pub fn bytes_from(&self, place: usize) -> Option<Vec<u8>> {
        bytes(self.values.get(place..)?)
    }
}

/// Numbers that are the bytes of a text.
#[must_use]
pub fn bytes(values: &[u64]) -> Option<Vec<u8>> {
    values.iter().map(|value| u8::try_from(*value).ok()).collect()
}

/// `count` numbers in chunks of six bits, one after the other, as a blob of strings holds their lengths.
pub(crate) fn vbr6_list(bytes: &[u8], count: u64) -> Result<Vec<u64>, BitstreamError> {
    let mut cursor = Cursor { bytes, at: 0, end: bytes.len() * 8 };
    match usize::try_from(count) {
        Ok(count) if count <= cursor.left() / 6 => (0..count).map(|_| cursor.vbr(6)).collect(),
        _ => Err(cursor.truncated("a list of lengths in a blob")),
    }
}

/// The abbreviations that BLOCKINFO gives to all later blocks of an id.
#[derive(Debug, Default, Clone)]
pub struct BlockInfo(BTreeMap<u32, Vec<Rc<Abbreviation>>>);

impl BlockInfo {
    fn read(&mut self, mut block: Block<'_>) -> Result<(), BitstreamError> {
        let mut record = Record::default();
        let mut target = None;
        loop {
            match block.cursor.bits(block.width)? {
                abbreviation_id::END_BLOCK => return Ok(()),
                abbreviation_id::DEFINE_ABBREV => {
                    let id = target.ok_or_else(|| block.cursor.malformed("an abbreviation for no block"))?;
                    self.0.entry(id).or_default().push(Rc::new(Abbreviation::define(&mut block.cursor)?));
                }
                abbreviation_id::UNABBREV_RECORD => {
                    block.unabbreviated(&mut record)?;
                    if record.code == SETBID {
                        target = record.value(0).and_then(|id| u32::try_from(id).ok());
                    }
                }
                _ => return Err(block.cursor.malformed("a block or an abbreviated record in BLOCKINFO")),
            }
        }
    }
}

/// Where a block is, in bytes from the magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What the block is.
    pub id: u32,
    /// How many bits an abbreviation id has in it.
    pub width: u32,
    /// The first byte of its content. The 32-bit word before it is the content's length in words.
    pub start: usize,
    /// The byte after its content.
    pub end: usize,
}

/// What comes next in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A record, now in the `Record` that was handed in.
    Record,
    /// A block, already passed over; [`Block::enter`] reads it.
    Block(Extent),
    /// The end of this block.
    End,
}

/// Reads the items of one block.
#[derive(Debug)]
pub struct Block<'a> {
    cursor: Cursor<'a>,
    width: u32,
    id: Option<u32>,
    abbreviations: Vec<Rc<Abbreviation>>,
}

impl<'a> Block<'a> {
    /// The stream's top level; `bytes` begin with the magic.
    #[must_use]
    pub fn top_level(bytes: &'a [u8]) -> Self {
        let end = bytes.len() * 8;
        let cursor = Cursor { bytes, at: end.min(MAGIC.len() * 8), end };
        Self { cursor, width: TOP_LEVEL_WIDTH, id: None, abbreviations: Vec::new() }
    }

    /// A block inside this one, to be read.
    #[must_use]
    pub fn enter(&self, extent: Extent, info: &BlockInfo) -> Self {
        let abbreviations = info.0.get(&extent.id).cloned().unwrap_or_default();
        let cursor = Cursor { bytes: self.cursor.bytes, at: extent.start * 8, end: extent.end * 8 };
        Self { cursor, width: extent.width, id: Some(extent.id), abbreviations }
    }

    /// The next item. A record's content is put into `record`; BLOCKINFO goes into `info` and is no item.
    ///
    /// # Errors
    /// The block is truncated or malformed.
    pub fn next(&mut self, info: &mut BlockInfo, record: &mut Record<'a>) -> Result<Item, BitstreamError> {
        loop {
            if self.id.is_none() && self.is_padding() {
                return Ok(Item::End);
            }
            match self.cursor.bits(self.width)? {
                abbreviation_id::END_BLOCK if self.id.is_some() => return Ok(Item::End),
                abbreviation_id::ENTER_SUBBLOCK => {
                    let extent = self.subblock()?;
                    if extent.id != BLOCKINFO_BLOCK {
                        return Ok(Item::Block(extent));
                    }
                    info.read(self.enter(extent, info))?;
                }
                _ if self.id.is_none() => {
                    return Err(self.cursor.malformed("something else than a block at top level"));
                }
                abbreviation_id::DEFINE_ABBREV => {
                    self.abbreviations.push(Rc::new(Abbreviation::define(&mut self.cursor)?));
                }
                id => {
                    self.record(id, record)?;
                    return Ok(Item::Record);
                }
            }
        }
    }

    /// Some archivers and filters leave a few bytes after the last block; LLVM takes less than two words for padding.
    fn is_padding(&self) -> bool {
        self.cursor.left() < 64
    }

    fn record(&mut self, id: u64, record: &mut Record<'a>) -> Result<(), BitstreamError> {
        if id == abbreviation_id::UNABBREV_RECORD {
            return self.unabbreviated(record);
        }
        record.values.clear();
        record.blob = &[];
        let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(4));
        let known = place.and_then(|place| self.abbreviations.get(place));
        let known = known.ok_or_else(|| self.cursor.malformed("a record with an abbreviation that is not defined"))?;
        known.read(&mut self.cursor, record)
    }

    fn unabbreviated(&mut self, record: &mut Record<'a>) -> Result<(), BitstreamError> {
        record.values.clear();
        record.blob = &[];
        record.code = self.cursor.vbr(6)?;
        let count = self.cursor.count(6, 6)?;
        record.values.reserve(count);
        for _ in 0..count {
            record.values.push(self.cursor.vbr(6)?);
        }
        Ok(())
    }

    /// Reads a block's head and passes over its content.
    fn subblock(&mut self) -> Result<Extent, BitstreamError> {
        let id = u32::try_from(self.cursor.vbr(8)?).map_err(|_| self.cursor.malformed("a block id over 32 bits"))?;
        let width = match u32::try_from(self.cursor.vbr(4)?) {
            Ok(width @ 2..=32) => width,
            _ => return Err(self.cursor.malformed("a block whose abbreviation ids are not 2 to 32 bits wide")),
        };
        self.cursor.align32()?;
        let words = self.cursor.bits(32)?;
        let bits = usize::try_from(words).ok().and_then(|words| words.checked_mul(32));
        let bits = bits.filter(|bits| *bits <= self.cursor.left()).ok_or_else(|| self.cursor.truncated("a block"))?;
        let start = self.cursor.at / 8;
        self.cursor.at += bits;
        Ok(Extent { id, width, start, end: self.cursor.at / 8 })
    }
}
