//! The global values of a module, each described by its name and its record, without any number of this module.

use super::attributes::Attributes;
use super::sink::{Id, Sink};
use super::types::Types;
use crate::bitcode::bitstream::Record;

pub(super) mod code {
    pub(in super::super) const SECTION_NAME: u64 = 5;
    pub(in super::super) const VARIABLE: u64 = 7;
    pub(in super::super) const FUNCTION: u64 = 8;
    pub(in super::super) const GC_NAME: u64 = 11;
    pub(in super::super) const COMDAT: u64 = 12;
    pub(in super::super) const ALIAS: u64 = 14;
    pub(in super::super) const IFUNC: u64 = 18;
}

/// LLVM 22's longest records; a longer one has fields that are not known here.
const LONGEST_VARIABLE: usize = 20;
const LONGEST_FUNCTION: usize = 21;
const LONGEST_ALIAS: usize = 13;
/// Where the linkage is in each of them.
const LINKAGE: usize = 5;

/// Linkages under which a value has one name in all modules: external, external weak, common, available externally, weak,
/// weak for ODR, link once, link once for ODR. Not among them is `appending`, which is not imported.
const NAMED_FOR_ALL: [u64; 8] = [0, 7, 8, 12, 16, 17, 18, 19];
/// Internal and private: an import renames these.
const LOCAL: [u64; 2] = [3, 9];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Variable,
    Function,
    /// An alias or an ifunc, which is imported as a copy of something else.
    Indirect,
}

/// One global value.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) is_defined: bool,
    /// It has no name, or its linkage is a rare one: who reaches it depends on the whole module.
    pub(super) ties: bool,
    /// An import promotes it, to a name that may have the module's hash in it.
    pub(super) is_local: bool,
    /// It is in the same output as who names it.
    pub(super) is_dso_local: bool,
    /// Its type: a function's own, a variable's content.
    pub(super) type_number: u64,
    /// Everything in its record that is not the number of a value.
    pub(super) header: Id,
    /// Values, by number plus one: initialiser, or prologue, prefix and personality.
    pub(super) parts: Vec<u64>,
    /// Metadata attached to a variable or a declaration: kind and number.
    pub(super) attachments: Vec<(u64, u64)>,
}

/// What global records refer to by number, counted from one.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    pub(super) strings: &'a [u8],
    pub(super) sections: Vec<Vec<u8>>,
    pub(super) gcs: Vec<Vec<u8>>,
    /// Name and kind of selection.
    pub(super) comdats: Vec<(Vec<u8>, u64)>,
}

impl Names<'_> {
    /// The text that `values` give offset and length of.
    pub(super) fn text(&self, values: &[u64], at: usize) -> Option<Vec<u8>> {
        let offset = usize::try_from(*values.get(at)?).ok()?;
        let length = usize::try_from(*values.get(at + 1)?).ok()?;
        Some(self.strings.get(offset..offset.checked_add(length)?)?.to_vec())
    }

    pub(super) fn comdat(&mut self, record: &Record<'_>) -> Option<()> {
        let name = self.text(&record.values, 0)?;
        self.comdats.push((name, record.value(2)?));
        Some(())
    }
}

/// Reads the record of a global value.
pub(super) fn read(record: &Record<'_>, names: &Names<'_>, types: &Types, attributes: &Attributes) -> Option<Global> {
    let reader = Reader { values: &record.values, names, types, attributes };
    match record.code {
        code::VARIABLE => reader.variable(),
        code::FUNCTION => reader.function(),
        code::ALIAS => reader.alias(),
        // Its resolver runs where it is defined; what an importer sees is not worth a row.
        code::IFUNC => {
            let mut global = reader.alias()?;
            global.ties = true;
            Some(global)
        }
        _ => None,
    }
}

struct Reader<'a> {
    values: &'a [u64],
    names: &'a Names<'a>,
    types: &'a Types,
    attributes: &'a Attributes,
}

/// How one field of a global's record is described.
#[derive(Clone, Copy)]
enum Field {
    /// As it is.
    Plain,
    /// As it is; whether the value is `dso_local`.
    DsoLocal,
    /// Whether it is zero.
    Presence,
    /// Described elsewhere.
    Elsewhere,
    Type,
    Section,
    Gc,
    Comdat,
    Attributes,
    /// Offset and length of a text, two fields.
    Text,
}

/// The record of one kind of global.
struct Layout {
    kind: Kind,
    fields: &'static [Field],
    longest: usize,
}

use Field::{Attributes as Attrs, Comdat, DsoLocal, Elsewhere, Gc, Plain, Presence, Section, Text, Type as Ty};

/// Type, address space and constancy, initialiser, linkage, alignment, section, visibility, thread-local mode,
/// unnamed_addr, externally initialised, DLL storage, comdat, attributes, dso_local, partition, sanitizers, code model.
const VARIABLE: &[Field] = &[
    Ty, Plain, Presence, Plain, Plain, Section, Plain, Plain, Plain, Plain, Plain, Comdat, Attrs, DsoLocal, Text,
    Plain, Plain,
];

/// Type, calling convention, is a declaration, linkage, attributes, alignment, section, visibility, garbage collector,
/// unnamed_addr, prologue, DLL storage, comdat, prefix, personality, dso_local, address space, partition.
const FUNCTION: &[Field] = &[
    Ty, Plain, Plain, Plain, Attrs, Plain, Section, Plain, Gc, Plain, Presence, Plain, Comdat, Presence, Presence,
    DsoLocal, Plain, Text,
];

/// Type, address space, aliasee, linkage, visibility, DLL storage, thread-local mode, unnamed_addr, dso_local, partition.
const ALIAS: &[Field] = &[Ty, Plain, Elsewhere, Plain, Plain, Plain, Plain, Plain, DsoLocal, Text];

impl Reader<'_> {
    fn variable(&self) -> Option<Global> {
        let initialiser = self.value(4)?;
        let layout = Layout { kind: Kind::Variable, fields: VARIABLE, longest: LONGEST_VARIABLE };
        self.global(&layout, initialiser != 0, vec![initialiser])
    }

    fn function(&self) -> Option<Global> {
        let parts = [12, 15, 16].map(|at| self.values.get(at).copied().unwrap_or(0)).to_vec();
        let layout = Layout { kind: Kind::Function, fields: FUNCTION, longest: LONGEST_FUNCTION };
        self.global(&layout, self.value(4)? == 0, parts)
    }

    fn alias(&self) -> Option<Global> {
        self.global(&Layout { kind: Kind::Indirect, fields: ALIAS, longest: LONGEST_ALIAS }, true, Vec::new())
    }

    fn global(&self, layout: &Layout, is_defined: bool, parts: Vec<u64>) -> Option<Global> {
        let Layout { kind, fields, longest } = *layout;
        if self.values.len() > longest {
            return None;
        }
        let name = self.names.text(self.values, 0)?;
        let mut sink = Sink::of(b'h');
        sink.tag(kind as u8);
        sink.bytes(&name);
        let linkage = self.value(LINKAGE)?;
        let is_local = LOCAL.contains(&linkage);
        let mut ties = name.is_empty() || !(is_local || NAMED_FOR_ALL.contains(&linkage));
        let mut is_dso_local = false;
        let mut at = 2;
        for field in fields {
            if at >= self.values.len() {
                break;
            }
            ties |= self.describe(*field, at, &name, &mut sink)?;
            // Its group is renamed with it, and so is what else is in that.
            ties |= is_local && matches!(field, Comdat) && self.value(at)? != 0;
            is_dso_local |= matches!(field, DsoLocal) && self.value(at)? != 0;
            at += if matches!(field, Text) { 2 } else { 1 };
        }
        let type_number = self.value(2)?;
        Some(Global {
            name,
            kind,
            is_defined,
            ties,
            is_local,
            is_dso_local,
            type_number,
            header: sink.finish(),
            parts,
            attachments: Vec::new(),
        })
    }

    fn value(&self, at: usize) -> Option<u64> {
        self.values.get(at).copied()
    }

    /// Returns whether the field ties whoever reaches this value to the whole module.
    fn describe(&self, field: Field, at: usize, name: &[u8], sink: &mut Sink) -> Option<bool> {
        let value = self.value(at)?;
        match field {
            Plain | DsoLocal => sink.number(value),
            Presence => sink.number(u64::from(value != 0)),
            Elsewhere => {}
            Ty => sink.id(self.types.id(value)?),
            Section => sink.bytes(named(&self.names.sections, value)?),
            Gc => sink.bytes(named(&self.names.gcs, value)?),
            Attrs => self.attributes.describe(value, sink)?,
            Text => sink.bytes(&self.names.text(self.values, at)?),
            Comdat => {
                let Some(place) = value.checked_sub(1) else {
                    sink.tag(0);
                    return Some(false);
                };
                let (group, selection) = self.names.comdats.get(usize::try_from(place).ok()?)?;
                sink.tag(1);
                sink.bytes(group);
                sink.number(*selection);
                // A group that is named after another value is renamed with that one.
                return Some(group != name);
            }
        }
        Some(false)
    }
}

/// The name of this number, counted from one; zero is none.
fn named(names: &[Vec<u8>], number: u64) -> Option<&[u8]> {
    match number.checked_sub(1) {
        None => Some(&[]),
        Some(place) => names.get(usize::try_from(place).ok()?).map(Vec::as_slice),
    }
}
