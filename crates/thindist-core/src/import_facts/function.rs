//! A function's body: each of its records, with the numbers of this module replaced by what they stand for.

use super::globals::Global;
use super::layout::{self, INSTRUCTIONS};
use super::sink::Sink;
use super::tables::{self, Reached, Tables};
use super::types::Shape;
use crate::bitcode::bitstream::{Block, BlockInfo, Extent, Item, Record};
use std::collections::BTreeMap;

mod code {
    pub(super) const CONSTANTS_BLOCK: u32 = 11;
    pub(super) const SYMBOL_TABLE_BLOCK: u32 = 14;
    pub(super) const METADATA_BLOCK: u32 = 15;
    pub(super) const METADATA_ATTACHMENT_BLOCK: u32 = 16;

    pub(super) const DECLAREBLOCKS: u64 = 1;
    pub(super) const BR: u64 = 11;
    pub(super) const INVOKE: u64 = 13;
    pub(super) const PHI: u64 = 16;
    pub(super) const DEBUG_LOC_AGAIN: u64 = 33;
    pub(super) const CALL: u64 = 34;
    pub(super) const DEBUG_LOC: u64 = 35;
    pub(super) const CALLBR: u64 = 57;

    /// Of a value and of a block.
    pub(super) const SYMBOL_ENTRY: u64 = 1;
    pub(super) const SYMBOL_BLOCK: u64 = 2;
}

/// Bits of a call's second number: a function type follows; flags of floating-point arithmetic follow.
const CALL_EXPLICIT_TYPE: u64 = 1 << 15;
const CALL_FLAGS: u64 = 1 << 17;
const INVOKE_EXPLICIT_TYPE: u64 = 1 << 13;
/// In place of a value's distance: metadata follows.
const METADATA_OPERAND: u64 = 1 << 31;

/// Describes the body of `function`, or returns `None` if something in it is not known.
pub(super) fn describe<'a>(
    tables: &mut Tables<'a>,
    function: usize,
    block: Block<'a>,
    info: &mut BlockInfo,
) -> Option<(Sink, Reached)> {
    let Global { type_number, parts, .. } = tables.globals.get(function)?;
    let (type_number, parts) = (*type_number, parts.clone());
    let Shape::Function { parameters, .. } = tables.types.shape(type_number)? else { return None };
    let arguments = parameters.len();
    tables.enter_function(arguments);
    let mut body =
        Body { tables, sink: Sink::of(b'f'), reached: Reached::default(), next: 0, places: BTreeMap::new(), place: 0 };
    let described = body.prologue(&parts).and_then(|()| body.block(block, info));
    let Body { sink, reached, .. } = body;
    tables.leave_function();
    described.map(|()| (sink, reached))
}

struct Body<'t, 'a> {
    tables: &'t mut Tables<'a>,
    sink: Sink,
    reached: Reached,
    /// The number of the next instruction that is a value; zero before the first instruction.
    next: usize,
    /// Places in the source, numbered as they come, and that of the last instruction.
    places: BTreeMap<Vec<u64>, usize>,
    place: usize,
}

impl<'a> Body<'_, 'a> {
    /// Prologue data, prefix data and the personality.
    fn prologue(&mut self, parts: &[u64]) -> Option<()> {
        for part in parts {
            match part.checked_sub(1) {
                None => self.sink.tag(0),
                Some(number) => self.tables.value(number, &mut self.sink, &mut self.reached)?,
            }
        }
        Some(())
    }

    fn block(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Block(extent) => self.inner_block(&block, extent, info)?,
                Item::Record if record.code == code::DECLAREBLOCKS => self.sink.numbers(&record.values),
                Item::Record => {
                    if self.next == 0 {
                        self.next = self.tables.begin_instructions();
                    }
                    self.instruction(&record)?;
                }
                Item::End => return Some(()),
            }
        }
    }

    fn inner_block(&mut self, outer: &Block<'a>, extent: Extent, info: &mut BlockInfo) -> Option<()> {
        let block = outer.enter(extent, info);
        match extent.id {
            code::CONSTANTS_BLOCK if self.next == 0 => self.tables.read_constants(block, info),
            code::METADATA_BLOCK if self.next == 0 => self.tables.read_metadata(block, info),
            code::SYMBOL_TABLE_BLOCK => self.names(block, info),
            code::METADATA_ATTACHMENT_BLOCK => self.attachments(block, info),
            // Orders of use lists, for example: LLVM's order of work may depend on them.
            _ => None,
        }
    }

    /// Names of values and blocks, in a release compiler's output most often none.
    fn names(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record => {
                    let (number, name) = record.values.split_first()?;
                    self.sink.tag(b'n');
                    match record.code {
                        code::SYMBOL_ENTRY => self.tables.value(*number, &mut self.sink, &mut self.reached)?,
                        code::SYMBOL_BLOCK => self.sink.number(*number),
                        _ => return None,
                    }
                    self.sink.numbers(name);
                }
                Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    /// Metadata of the function, or of one of its instructions, whose place comes first then.
    fn attachments(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record if record.code == tables::metadata::ATTACHMENT => {
                    let (place, pairs) = record.values.split_at(record.values.len() % 2);
                    self.sink.tag(b'a');
                    self.sink.numbers(place);
                    for pair in pairs.chunks_exact(2) {
                        let [kind, number] = *pair else { return None };
                        attachment(self.tables, kind, number, &mut self.sink, &mut self.reached)?;
                    }
                }
                Item::Record | Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    /// Which instructions are in one place of the source, and not where that is: LLVM leaves the place out where several that are
    /// made one have different ones.
    fn location(&mut self, record: &Record<'_>) {
        if record.code == code::DEBUG_LOC {
            let next = self.places.len();
            self.place = *self.places.entry(record.values.clone()).or_insert(next);
        }
        self.sink.number(code::DEBUG_LOC);
        self.sink.number(self.place as u64);
    }

    fn instruction(&mut self, record: &Record<'_>) -> Option<()> {
        if self.tables.leaves_debug_out && matches!(record.code, code::DEBUG_LOC | code::DEBUG_LOC_AGAIN) {
            self.location(record);
            return Some(());
        }
        self.sink.number(record.code);
        let values = record.values.as_slice();
        self.sink.number(values.len() as u64);
        let mut fields = Fields { body: self, left: values };
        let is_value = match record.code {
            code::CALL => fields.call()?,
            code::INVOKE => fields.invoke()?,
            code::CALLBR => fields.callbr()?,
            code::PHI => fields.phi()?,
            code::BR => {
                fields.letters(if values.len() == 1 { "#" } else { "##v" })?;
                fields.end(false)?
            }
            other => {
                let row = layout::find(INSTRUCTIONS, other)?;
                fields.letters(row.head)?;
                while !fields.left.is_empty() {
                    // A tail of nothing would not come to an end.
                    fields.letters(Some(row.tail).filter(|tail| !tail.is_empty())?)?;
                }
                row.is_value
            }
        };
        self.next += usize::from(is_value);
        Some(())
    }
}

/// A global's or an instruction's metadata.
pub(super) fn attachment(
    tables: &mut Tables<'_>,
    kind: u64,
    number: u64,
    sink: &mut Sink,
    reached: &mut Reached,
) -> Option<()> {
    sink.number(kind);
    if tables.leaves_debug_out && tables.kinds.debug.contains(&kind) {
        return Some(());
    }
    if tables.kinds.source_location == Some(kind) {
        // Any edit above it moves it, so not what is in it is described but which one it is.
        sink.number(reached.place_of(usize::try_from(number).ok()?));
        return Some(());
    }
    tables.metadata(number, sink, reached)
}

/// The numbers of one record, from left to right.
struct Fields<'b, 't, 'a, 'r> {
    body: &'b mut Body<'t, 'a>,
    left: &'r [u64],
}

impl Fields<'_, '_, '_, '_> {
    fn take(&mut self) -> Option<u64> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*first)
    }

    fn end(&self, is_value: bool) -> Option<bool> {
        self.left.is_empty().then_some(is_value)
    }

    fn letters(&mut self, letters: &str) -> Option<()> {
        letters.chars().try_for_each(|letter| self.letter(letter))
    }

    fn letter(&mut self, letter: char) -> Option<()> {
        let value = self.take()?;
        let Body { tables, sink, reached, next, .. } = &mut *self.body;
        match letter {
            '#' => sink.number(value),
            't' => sink.id(tables.types.id(value)?),
            'c' => tables.value(value, sink, reached)?,
            'v' => tables.value(before(*next, value)?, sink, reached)?,
            's' => tables.value(before_signed(*next, value)?, sink, reached)?,
            'm' => tables.optional_metadata(value, sink, reached, tables::DEEPEST)?,
            'd' if tables.leaves_debug_out => {}
            'e' if tables.leaves_debug_out => tables.described_value(value, sink, reached)?,
            // A bundle's metadata operand: not a value, and its own number would follow.
            'V' if value == METADATA_OPERAND => return None,
            'V' => {
                let number = before(*next, value)?;
                tables.value(number, sink, reached)?;
                if number >= *next as u64 {
                    self.letter('t')?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Attributes, convention and flags, arithmetic flags, type, callee, arguments.
    fn call(&mut self) -> Option<bool> {
        self.attributes()?;
        let flags = self.literal()?;
        if flags & CALL_FLAGS != 0 {
            self.literal()?;
        }
        self.callee(flags & CALL_EXPLICIT_TYPE != 0)
    }

    /// Attributes, convention, normal and unwind block, type, callee, arguments.
    fn invoke(&mut self) -> Option<bool> {
        self.attributes()?;
        let flags = self.literal()?;
        self.letters("##")?;
        self.callee(flags & INVOKE_EXPLICIT_TYPE != 0)
    }

    /// Attributes, convention, default block, count and indirect blocks, type, callee, arguments.
    fn callbr(&mut self) -> Option<bool> {
        self.attributes()?;
        let flags = self.literal()?;
        self.letters("#")?;
        let blocks = self.literal()?;
        for _ in 0..blocks {
            self.letter('#')?;
        }
        self.callee(flags & CALL_EXPLICIT_TYPE != 0)
    }

    fn attributes(&mut self) -> Option<()> {
        let list = self.take()?;
        self.body.tables.attributes.describe(list, &mut self.body.sink)
    }

    fn literal(&mut self) -> Option<u64> {
        let value = self.take()?;
        self.body.sink.number(value);
        Some(value)
    }

    /// The rest of a call; whether it is a value. Without its type the arguments cannot be told.
    fn callee(&mut self, has_type: bool) -> Option<bool> {
        let type_number = self.left.first().copied().filter(|_| has_type)?;
        self.letter('t')?;
        let Shape::Function { is_vararg, result, parameters } = self.body.tables.types.shape(type_number)?.clone()
        else {
            return None;
        };
        self.letter('V')?;
        for parameter in parameters {
            match self.body.tables.types.shape(parameter)? {
                Shape::Label => self.letter('#')?,
                Shape::Metadata => {
                    let number = before(self.body.next, self.take()?)?;
                    self.body.tables.metadata(number, &mut self.body.sink, &mut self.body.reached)?;
                }
                _ => self.letter('v')?,
            }
        }
        while is_vararg && !self.left.is_empty() {
            self.letter('V')?;
        }
        let is_value = *self.body.tables.types.shape(result)? != Shape::Void;
        self.end(is_value)
    }

    /// Type, then values and blocks; arithmetic flags make the count even.
    fn phi(&mut self) -> Option<bool> {
        let has_flags = self.left.len().is_multiple_of(2);
        self.letter('t')?;
        while self.left.len() > 1 {
            self.letters("s#")?;
        }
        if has_flags {
            self.letter('#')?;
        }
        self.end(true)
    }
}

/// The number that is `distance` before `next`. LLVM counts in 32 bits, so what follows is far before.
fn before(next: usize, distance: u64) -> Option<u64> {
    let next = u32::try_from(next).ok()?;
    Some(u64::from(next.wrapping_sub(u32::try_from(distance).ok()?)))
}

/// The same with the sign in the lowest bit.
fn before_signed(next: usize, distance: u64) -> Option<u64> {
    let magnitude = i64::try_from(distance >> 1).ok()?;
    let distance = if distance & 1 == 1 { -magnitude } else { magnitude };
    u64::try_from(i64::try_from(next).ok()?.checked_sub(distance)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(before(10, 3), Some(7));
        assert_eq!(before(10, u64::from(u32::MAX)), Some(11));
        assert_eq!(before_signed(10, 3 << 1), Some(7));
        assert_eq!(before_signed(10, 3 << 1 | 1), Some(13));
        assert_eq!(before_signed(10, 11 << 1), None);
    }
}
