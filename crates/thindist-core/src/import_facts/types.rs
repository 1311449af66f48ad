//! The table of types, each described by its content and not by its number, with the part of its shape that is needed
//! to read instructions.

use super::sink::{Id, Sink};
use crate::bitstream::{Block, BlockInfo, Item, Record};
use std::collections::BTreeSet;

mod code {
    pub(super) const NUMENTRY: u64 = 1;
    pub(super) const VOID: u64 = 2;
    pub(super) const LABEL: u64 = 5;
    pub(super) const OPAQUE: u64 = 6;
    pub(super) const ARRAY: u64 = 11;
    pub(super) const VECTOR: u64 = 12;
    pub(super) const METADATA: u64 = 16;
    pub(super) const STRUCT_ANON: u64 = 18;
    pub(super) const STRUCT_NAME: u64 = 19;
    pub(super) const STRUCT_NAMED: u64 = 20;
    pub(super) const FUNCTION: u64 = 21;
    /// Float, double, integer, half, x86_fp80, fp128, ppc_fp128, x86_mmx, token, bfloat, x86_amx, pointer: nothing in their
    /// records is the number of something else.
    pub(super) const PLAIN: [u64; 12] = [3, 4, 7, 10, 13, 14, 15, 17, 22, 23, 24, 25];
}

/// What an instruction's reader asks of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Void,
    Label,
    Metadata,
    Function { is_vararg: bool, result: u64, parameters: Vec<u64> },
    Other,
}

#[derive(Debug)]
struct Type {
    id: Id,
    shape: Shape,
}

#[derive(Debug, Default)]
pub(super) struct Types {
    types: Vec<Type>,
    /// Structures with a name. LLVM unifies those of two modules by their names, so their whole set may bear on an import.
    pub(super) named: BTreeSet<Id>,
}

impl Types {
    pub(super) fn read(mut block: Block<'_>, info: &mut BlockInfo) -> Option<Self> {
        let mut this = Self::default();
        let mut record = Record::default();
        let mut name = Vec::new();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record if record.code == code::NUMENTRY => {}
                Item::Record if record.code == code::STRUCT_NAME => name = record.bytes_from(0)?,
                Item::Record => this.add(&record, &mut name)?,
                Item::Block(_) => return None,
                Item::End => return Some(this),
            }
        }
    }

    fn add(&mut self, record: &Record<'_>, name: &mut Vec<u8>) -> Option<()> {
        let mut sink = Sink::of(b't');
        sink.number(record.code);
        let values = record.values.as_slice();
        let (literals, types): (&[u64], &[u64]) = match record.code {
            code::VOID | code::LABEL | code::METADATA => (values, &[]),
            plain if code::PLAIN.contains(&plain) => (values, &[]),
            code::OPAQUE => {
                sink.bytes(&std::mem::take(name));
                (values, &[])
            }
            code::STRUCT_NAMED => {
                sink.bytes(&std::mem::take(name));
                values.split_at_checked(1)?
            }
            code::STRUCT_ANON | code::FUNCTION => values.split_at_checked(1)?,
            code::ARRAY => (values.get(..1)?, values.get(1..2)?),
            code::VECTOR => {
                sink.number(u64::from(values.len() > 2));
                (values.get(..1)?, values.get(1..2)?)
            }
            _ => return None,
        };
        sink.numbers(literals);
        sink.number(types.len() as u64);
        for number in types {
            // No type contains a later one: pointers do not say what they point to.
            sink.id(self.id(*number)?);
        }
        let id = sink.finish();
        if matches!(record.code, code::OPAQUE | code::STRUCT_NAMED) {
            self.named.insert(id);
        }
        self.types.push(Type { id, shape: shape(record)? });
        Some(())
    }

    fn get(&self, number: u64) -> Option<&Type> {
        self.types.get(usize::try_from(number).ok()?)
    }

    pub(super) fn id(&self, number: u64) -> Option<&Id> {
        Some(&self.get(number)?.id)
    }

    pub(super) fn shape(&self, number: u64) -> Option<&Shape> {
        Some(&self.get(number)?.shape)
    }
}

fn shape(record: &Record<'_>) -> Option<Shape> {
    Some(match record.code {
        code::VOID => Shape::Void,
        code::LABEL => Shape::Label,
        code::METADATA => Shape::Metadata,
        code::FUNCTION => Shape::Function {
            is_vararg: record.value(0)? != 0,
            result: record.value(1)?,
            parameters: record.values.get(2..)?.to_vec(),
        },
        _ => Shape::Other,
    })
}
