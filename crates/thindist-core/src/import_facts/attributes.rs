//! Lists of attributes of a function, its result and its parameters, each list described by its content.

use super::sink::{Id, Sink};
use super::types::Types;
use crate::bitstream::{Block, BlockInfo, Item, Record};
use std::collections::BTreeMap;

const GROUP: u64 = 3;
const LIST: u64 = 2;
/// The widest integers whose ranges are two numbers; those of wider ones are counted words.
const WIDEST_RANGE: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Attributes {
    groups: BTreeMap<u64, Id>,
    lists: Vec<Id>,
}

impl Attributes {
    pub(super) fn read_groups(&mut self, mut block: Block<'_>, info: &mut BlockInfo, types: &Types) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record if record.code == GROUP => {
                    self.groups.insert(record.value(0)?, group(record.values.get(1..)?, types)?);
                }
                Item::Record | Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    pub(super) fn read_lists(&mut self, mut block: Block<'_>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record if record.code == LIST => {
                    let mut sink = Sink::of(b'a');
                    for group in &record.values {
                        sink.id(self.groups.get(group)?);
                    }
                    self.lists.push(sink.finish());
                }
                Item::Record | Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    /// Lists are numbered from one; zero is the empty one.
    pub(super) fn describe(&self, number: u64, sink: &mut Sink) -> Option<()> {
        match number.checked_sub(1) {
            None => sink.tag(0),
            Some(place) => {
                sink.tag(1);
                sink.id(self.lists.get(usize::try_from(place).ok()?)?);
            }
        }
        Some(())
    }
}

/// Which part of the function, then the attributes.
fn group(values: &[u64], types: &Types) -> Option<Id> {
    let mut sink = Sink::of(b'g');
    let (index, mut rest) = values.split_first()?;
    sink.number(*index);
    while let Some((kind, after)) = rest.split_first() {
        sink.number(*kind);
        let used = attribute(*kind, after, types, &mut sink)?;
        rest = after.get(used..)?;
    }
    Some(sink.finish())
}

/// Describes one attribute and returns how many values it has after its kind.
fn attribute(kind: u64, values: &[u64], types: &Types, sink: &mut Sink) -> Option<usize> {
    let literals = match kind {
        // A key alone; as text; a type's without its type.
        0 | 5 => 1,
        1 => 2,
        3 => text(values)?,
        4 => {
            let key = text(values)?;
            key + text(values.get(key..)?)?
        }
        6 => {
            sink.number(*values.first()?);
            sink.id(types.id(*values.get(1)?)?);
            return Some(2);
        }
        // A range: key, width, two bounds. A list of ranges: key, how many, width, two bounds each.
        7 if *values.get(1)? <= WIDEST_RANGE => 4,
        8 if *values.get(2)? <= WIDEST_RANGE => {
            3_usize.checked_add(usize::try_from(*values.get(1)?).ok()?.checked_mul(2)?)?
        }
        _ => return None,
    };
    sink.numbers(values.get(..literals)?);
    Some(literals)
}

/// The length of a text with the zero that ends it.
fn text(values: &[u64]) -> Option<usize> {
    Some(values.iter().position(|value| *value == 0)? + 1)
}
