//! The numbered things of a module, and of the function that is being read: values and metadata, each described by its
//! content when it is first asked for.
//!
//! A description names global values and does not contain them; which ones it reached is kept beside it, so that their
//! headers, and whatever those reach, can be added once at the end.

use super::attributes::Attributes;
use super::debug;
use super::globals::{Global, Kind};
use super::layout::{self, CONSTANTS};
use super::sink::{Id, Sink};
use super::types::Types;
use crate::bitcode::bitstream::{Block, BlockInfo, Item, Record};
use crate::bitcode::module_flags;
use std::collections::BTreeSet;
use std::rc::Rc;

const SETTYPE: u64 = 1;
const BLOCKADDRESS: u64 = 21;

/// A record of the constants' block.
struct ConstantRecord<'a> {
    code: u64,
    values: &'a [u64],
}

pub(super) mod metadata {
    pub(in super::super) const VALUE: u64 = 2;
    pub(in super::super) const NODE: u64 = 3;
    pub(in super::super) const NAME: u64 = 4;
    pub(in super::super) const DISTINCT_NODE: u64 = 5;
    pub(in super::super) const KIND: u64 = 6;
    pub(in super::super) const NAMED_NODE: u64 = 10;
    pub(in super::super) const ATTACHMENT: u64 = 11;
    pub(in super::super) const STRINGS: u64 = 35;
    pub(in super::super) const GLOBAL_DECL_ATTACHMENT: u64 = 36;
    pub(in super::super) const INDEX_OFFSET: u64 = 38;
    pub(in super::super) const INDEX: u64 = 39;
    /// Values that one variable is made of.
    pub(in super::super) const ARGUMENTS: u64 = 46;
}

/// Deeper nesting than compilers make; what is deeper is not described, so that a made-up file cannot exhaust the stack.
pub(super) const DEEPEST: u32 = 200;

/// What a description names and does not contain.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Global values; the second says that blocks inside that function are named.
    pub(super) globals: BTreeSet<(usize, bool)>,
    /// Distinct nodes of metadata, in the order in which they were met. A description names them by their places here: which
    /// of them it is counts, beside what is in it, and their numbers in the module do not.
    pub(super) distinct: Vec<usize>,
}

impl Reached {
    pub(super) fn place_of(&mut self, node: usize) -> u64 {
        let place = self.distinct.iter().position(|known| *known == node);
        place.unwrap_or_else(|| {
            self.distinct.push(node);
            self.distinct.len() - 1
        }) as u64
    }

    /// Takes a description into another one, whose places for distinct nodes are others.
    fn include(&mut self, described: &Described, sink: &mut Sink) {
        sink.id(&described.id);
        self.globals.extend(&described.reached.globals);
        for node in &described.reached.distinct {
            sink.number(self.place_of(*node));
        }
    }
}

#[derive(Debug)]
pub(super) struct Described {
    id: Id,
    reached: Reached,
}

#[derive(Debug)]
enum Value {
    Global(usize),
    Constant {
        type_number: u64,
        code: u64,
        values: Vec<u64>,
    },
    /// Of the function that is being read.
    Argument(u64),
}

#[derive(Debug)]
enum Entry<'a> {
    String(&'a [u8]),
    Value {
        type_number: u64,
        value: u64,
    },
    Node {
        is_distinct: bool,
        operands: Vec<u64>,
    },
    /// What a variable is, in debug information.
    Arguments(Vec<u64>),
    Debug(debug::Node),
    Unknown,
}

#[derive(Debug, Clone)]
enum Memo {
    Unasked,
    /// Being described, or given up.
    Open,
    Done(Rc<Described>),
}

/// A list of metadata under a name, such as `llvm.module.flags`.
#[derive(Debug)]
pub(super) struct NamedNode {
    pub(super) name: Vec<u8>,
    pub(super) operands: Vec<u64>,
}

/// The numbers of kinds of metadata that are described in a way of their own.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// `srcloc`: where inline assembly stands in the source, for messages only.
    pub(super) source_location: Option<u64>,
    /// `dbg` and `DIAssignID`: debug information.
    pub(super) debug: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    pub(super) types: Types,
    pub(super) attributes: Attributes,
    pub(super) globals: Vec<Global>,
    pub(super) named_nodes: Vec<NamedNode>,
    pub(super) kinds: Kinds,
    /// Debug information is left out: set once it is known that it can be.
    pub(super) leaves_debug_out: bool,
    /// Types of debug information have identifiers.
    pub(super) has_unified_types: bool,
    values: Vec<(Value, Memo)>,
    entries: Vec<(Entry<'a>, Memo)>,
    /// How many values and metadata the module has; all further ones are the function's.
    module_values: usize,
    module_entries: usize,
    /// The number of the function's first instruction, while its instructions are read.
    first_instruction: Option<usize>,
}

impl<'a> Tables<'a> {
    pub(super) fn add_global(&mut self, global: Global) {
        self.values.push((Value::Global(self.globals.len()), Memo::Unasked));
        self.globals.push(global);
    }

    /// The module's own values and metadata are complete: what follows belongs to one function.
    pub(super) fn seal(&mut self) {
        self.module_values = self.values.len();
        self.module_entries = self.entries.len();
    }

    pub(super) fn enter_function(&mut self, arguments: usize) {
        self.values.extend((0..arguments as u64).map(|place| (Value::Argument(place), Memo::Unasked)));
    }

    /// All values of the function but its instructions are known. Returns the first instruction's number.
    pub(super) fn begin_instructions(&mut self) -> usize {
        *self.first_instruction.insert(self.values.len())
    }

    /// Whether a node is the function's own, which no other function can name.
    pub(super) fn is_own(&self, node: usize) -> bool {
        node >= self.module_entries
    }

    pub(super) fn leave_function(&mut self) {
        self.values.truncate(self.module_values);
        self.entries.truncate(self.module_entries);
        self.first_instruction = None;
    }

    pub(super) fn read_constants(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        // LLVM's reader starts with 32-bit integers, but its writer always names a type first.
        let mut type_number = None;
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record if record.code == SETTYPE => type_number = Some(record.value(0)?),
                Item::Record => {
                    let values = std::mem::take(&mut record.values);
                    let value = Value::Constant { type_number: type_number?, code: record.code, values };
                    self.values.push((value, Memo::Unasked));
                }
                Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    pub(super) fn read_metadata(&mut self, mut block: Block<'a>, info: &mut BlockInfo) -> Option<()> {
        let mut record = Record::default();
        let mut name = Vec::new();
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Record => self.metadata_record(&record, &mut name)?,
                Item::Block(_) => return None,
                Item::End => return Some(()),
            }
        }
    }

    fn metadata_record(&mut self, record: &Record<'a>, name: &mut Vec<u8>) -> Option<()> {
        let entry = match record.code {
            metadata::NAME => {
                *name = record.bytes_from(0)?;
                return Some(());
            }
            metadata::NAMED_NODE => {
                self.named_nodes.push(NamedNode { name: std::mem::take(name), operands: record.values.clone() });
                return Some(());
            }
            metadata::GLOBAL_DECL_ATTACHMENT => return self.attach(&record.values),
            metadata::STRINGS => {
                for string in module_flags::strings(record).ok()? {
                    self.entries.push((Entry::String(string), Memo::Unasked));
                }
                return Some(());
            }
            metadata::KIND | metadata::INDEX_OFFSET | metadata::INDEX => return Some(()),
            metadata::VALUE => Entry::Value { type_number: record.value(0)?, value: record.value(1)? },
            metadata::NODE | metadata::DISTINCT_NODE => {
                Entry::Node { is_distinct: record.code == metadata::DISTINCT_NODE, operands: record.values.clone() }
            }
            metadata::ARGUMENTS => Entry::Arguments(record.values.clone()),
            code => {
                self.has_unified_types |= debug::is_unified(code, &record.values);
                debug::Node::read(code, &record.values).map_or(Entry::Unknown, Entry::Debug)
            }
        };
        self.entries.push((entry, Memo::Unasked));
        Some(())
    }

    fn attach(&mut self, values: &[u64]) -> Option<()> {
        let (number, pairs) = values.split_first()?;
        let (Value::Global(place), _) = self.values.get(usize::try_from(*number).ok()?)? else { return None };
        let pairs = pairs.chunks_exact(2).map(|pair| Some((*pair.first()?, *pair.get(1)?)));
        self.globals.get_mut(*place)?.attachments.extend(pairs.collect::<Option<Vec<_>>>()?);
        Some(())
    }

    /// Writes what the value of this number is.
    pub(super) fn value(&mut self, number: u64, sink: &mut Sink, reached: &mut Reached) -> Option<()> {
        self.value_within(number, sink, reached, DEEPEST)
    }

    fn value_within(&mut self, number: u64, sink: &mut Sink, reached: &mut Reached, depth: u32) -> Option<()> {
        let place = usize::try_from(number).ok()?;
        if let Some(instruction) = self.first_instruction.and_then(|first| place.checked_sub(first)) {
            sink.tag(b'i');
            sink.number(instruction as u64);
            return Some(());
        }
        match &self.values.get(place)?.0 {
            Value::Argument(argument) => {
                sink.tag(b'p');
                sink.number(*argument);
            }
            Value::Global(global) => {
                reached.globals.insert((*global, false));
                sink.tag(b'g');
                sink.bytes(&self.globals.get(*global)?.name);
            }
            Value::Constant { .. } => {
                let described = self.constant(place, depth.checked_sub(1)?)?;
                sink.tag(b'c');
                reached.include(&described, sink);
            }
        }
        Some(())
    }

    fn constant(&mut self, place: usize, depth: u32) -> Option<Rc<Described>> {
        let (value, memo) = self.values.get_mut(place)?;
        match memo {
            Memo::Done(described) => return Some(described.clone()),
            // A constant does not contain itself.
            Memo::Open => return None,
            Memo::Unasked => *memo = Memo::Open,
        }
        let Value::Constant { type_number, code, values } = value else { return None };
        let (type_number, code, values) = (*type_number, *code, std::mem::take(values));
        let (mut sink, mut reached) = (Sink::of(b'c'), Reached::default());
        sink.id(self.types.id(type_number)?);
        sink.number(code);
        self.constant_record(ConstantRecord { code, values: &values }, &mut sink, &mut reached, depth)?;
        let described = Rc::new(Described { id: sink.finish(), reached });
        self.values.get_mut(place)?.1 = Memo::Done(described.clone());
        Some(described)
    }

    fn constant_record(
        &mut self,
        record: ConstantRecord<'_>,
        sink: &mut Sink,
        reached: &mut Reached,
        depth: u32,
    ) -> Option<()> {
        let ConstantRecord { code, values } = record;
        if code == BLOCKADDRESS {
            return self.block_address(values, sink, reached);
        }
        let row = layout::find(CONSTANTS, code)?;
        sink.number(values.len() as u64);
        let tail = row.tail.chars().cycle().take(if row.tail.is_empty() { 0 } else { usize::MAX });
        let mut letters = row.head.chars().chain(tail);
        for value in values {
            match letters.next()? {
                '#' => sink.number(*value),
                't' => sink.id(self.types.id(*value)?),
                'c' => self.value_within(*value, sink, reached, depth)?,
                _ => return None,
            }
        }
        Some(())
    }

    /// Type, function and block. That function's blocks must be there, so only it may name them.
    fn block_address(&mut self, values: &[u64], sink: &mut Sink, reached: &mut Reached) -> Option<()> {
        let [_, function, block] = *values else { return None };
        let (Value::Global(global), _) = self.values.get(usize::try_from(function).ok()?)? else { return None };
        reached.globals.insert((*global, true));
        sink.bytes(&self.globals.get(*global)?.name);
        sink.number(block);
        Some(())
    }

    /// A string by its number plus one; zero is the empty one.
    pub(super) fn string(&self, number: u64) -> Option<&'a [u8]> {
        let Some(place) = number.checked_sub(1) else { return Some(&[]) };
        match self.entries.get(usize::try_from(place).ok()?)? {
            (Entry::String(bytes), _) => Some(bytes),
            _ => None,
        }
    }

    /// A node of debug information by its number.
    pub(super) fn debug_node(&self, number: u64) -> Option<&debug::Node> {
        match self.entries.get(usize::try_from(number).ok()?)? {
            (Entry::Debug(node), _) => Some(node),
            _ => None,
        }
    }

    /// A function of which the module has no more than a declaration, and what debug information says of that.
    pub(super) fn is_described_declaration(&self, global: &Global) -> bool {
        let is_declared = global.kind == Kind::Function && !global.is_defined;
        is_declared && global.attachments.iter().any(|(kind, _)| self.kinds.debug.contains(kind))
    }

    /// Writes what a debug record says of a value: the value alone.
    pub(super) fn described_value(&mut self, number: u64, sink: &mut Sink, reached: &mut Reached) -> Option<()> {
        let Entry::Arguments(values) = &self.entries.get(usize::try_from(number).ok()?)?.0 else {
            return self.metadata(number, sink, reached);
        };
        let values = values.clone();
        sink.tag(b'A');
        sink.number(values.len() as u64);
        values.into_iter().try_for_each(|value| self.metadata(value, sink, reached))
    }

    /// Writes what the metadata of this number is.
    pub(super) fn metadata(&mut self, number: u64, sink: &mut Sink, reached: &mut Reached) -> Option<()> {
        self.metadata_within(number, sink, reached, DEEPEST)
    }

    fn metadata_within(&mut self, number: u64, sink: &mut Sink, reached: &mut Reached, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let place = usize::try_from(number).ok()?;
        let (entry, memo) = self.entries.get_mut(place)?;
        // Of a loop: where it is in the source.
        if self.leaves_debug_out && matches!(entry, Entry::Debug(debug::Node::Location)) {
            sink.tag(b'L');
            return Some(());
        }
        if matches!(entry, Entry::Node { is_distinct: true, .. }) {
            sink.tag(b'D');
            sink.number(reached.place_of(place));
        }
        match memo {
            Memo::Done(described) => {
                reached.include(described, sink);
                return Some(());
            }
            // Nodes that contain each other in a circle: debug information does, nothing else has been seen to.
            Memo::Open => return None,
            Memo::Unasked => *memo = Memo::Open,
        }
        let described = Rc::new(self.entry(place, depth)?);
        reached.include(&described, sink);
        self.entries.get_mut(place)?.1 = Memo::Done(described);
        Some(())
    }

    fn entry(&mut self, place: usize, depth: u32) -> Option<Described> {
        let (mut sink, mut reached) = (Sink::of(b'm'), Reached::default());
        match &self.entries.get(place)?.0 {
            Entry::String(bytes) => {
                sink.tag(b's');
                sink.bytes(bytes);
            }
            Entry::Value { type_number, value } => {
                let (type_number, value) = (*type_number, *value);
                sink.tag(b'v');
                sink.id(self.types.id(type_number)?);
                self.value_within(value, &mut sink, &mut reached, depth)?;
            }
            Entry::Node { is_distinct, operands } => {
                let (is_distinct, operands) = (*is_distinct, operands.clone());
                sink.tag(b'n');
                sink.number(operands.len() as u64);
                for operand in operands {
                    // The first operand of a loop's or a scope's node is the node itself.
                    if is_distinct && operand == place as u64 + 1 {
                        sink.tag(b'S');
                    } else {
                        self.optional_metadata(operand, &mut sink, &mut reached, depth)?;
                    }
                }
            }
            Entry::Arguments(_) | Entry::Debug(_) | Entry::Unknown => return None,
        }
        Some(Described { id: sink.finish(), reached })
    }

    /// A number plus one; zero is none.
    pub(super) fn optional_metadata(
        &mut self,
        number: u64,
        sink: &mut Sink,
        reached: &mut Reached,
        depth: u32,
    ) -> Option<()> {
        match number.checked_sub(1) {
            None => sink.tag(0),
            Some(number) => {
                sink.tag(1);
                self.metadata_within(number, sink, reached, depth)?;
            }
        }
        Some(())
    }
}
