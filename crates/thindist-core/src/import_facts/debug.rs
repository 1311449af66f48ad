//! Debug information, which is left out of what an import brings along.
//!
//! It makes no code: nothing that LLVM decides depends on a name, a type or a line in it. So a definition is described without
//! it, and whether an importer's object shows any of it is seen in that object. It does where the unit of the imported module
//! is in it: what is inlined out of a module brings the module's compile unit along, with the name of its file, whatever header
//! it was written in. Where it does not, the object is the same whatever the debug information says.
//!
//! Besides, a declaration brings the description of what it declares, and a call of it may show that alone. Whose these are the
//! import tells ([`Traces::declared`]).
//!
//! What else would take another way into an object makes this give up: types with an identifier, which LLVM unifies with those
//! of other modules (C++ and Rust have them), more than one unit, split debug information, kinds of metadata that only some
//! targets have.

use super::sink::Sink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Record codes of `LLVMBitCodes.h`.
mod code {
    pub(super) const LOCATION: u64 = 7;
    pub(super) const FILE: u64 = 16;
    pub(super) const COMPOSITE_TYPE: u64 = 18;
    pub(super) const COMPILE_UNIT: u64 = 20;
    /// Ranges, enumerators, types, subprograms, blocks, namespaces, template parameters, variables, expressions, imported entities, modules,
    /// macros, labels, identities of assignments.
    pub(super) const OTHERS: [u64; 28] = [
        12, 13, 14, 15, 17, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 37, 40, 41, 44, 45, 47, 48, 49,
    ];
}

/// Where the identifier of a type is in its record.
const TYPE_IDENTIFIER: usize = 15;
/// LLVM 22's longest record of a unit; a longer one has fields that are not known here.
const LONGEST_UNIT: usize = 23;
/// Everything is emitted, or lines and what is inlined where.
const EMISSION: [u64; 2] = [1, 2];

/// The field of a compile unit's record that counts, beside how it is described.
#[derive(Clone, Copy)]
enum Field {
    /// As it is.
    Plain,
    /// A string, by number plus one.
    Text,
    /// What an import leaves behind, or what only the own module's object shows: the file, enumerations, retained types,
    /// globals, imported entities, macros.
    Elsewhere,
}

use Field::{Elsewhere, Plain, Text};

/// Distinct, language, file, producer, is optimised, flags, runtime version, split name, emission, enumerations, retained types,
/// subprograms, globals, imported entities, DWO id, inlining into split units, macros, for profiling, kind of name table, base
/// address of ranges, sysroot, SDK, version of the language.
const UNIT: [Field; LONGEST_UNIT] = [
    Plain, Plain, Elsewhere, Text, Plain, Text, Plain, Text, Plain, Elsewhere, Elsewhere, Elsewhere, Elsewhere,
    Elsewhere, Elsewhere, Plain, Elsewhere, Plain, Plain, Plain, Text, Text, Plain,
];
const UNIT_FILE: usize = 2;
const UNIT_SPLIT_NAME: usize = 7;
const UNIT_EMISSION: usize = 8;
/// Older records have no fields after the macros.
const SHORTEST_UNIT: usize = 17;

/// What shows in an object that holds something of the debug information of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The name of the compile unit's file, as its module has it.
    pub unit: String,
    /// GUIDs of the functions that the import declares with a description.
    pub declared: BTreeSet<u64>,
}

/// A node of debug information, as far as anything in it counts.
#[derive(Debug)]
pub(super) enum Node {
    Location,
    /// The number of its name, plus one.
    File(u64),
    Unit(Box<[u64]>),
    Other,
}

impl Node {
    /// The node of a record; `None` if it is none of debug information, or one whose import cannot be left out.
    pub(super) fn read(code: u64, values: &[u64]) -> Option<Self> {
        Some(match code {
            code::LOCATION => Self::Location,
            code::FILE => Self::File(*values.get(1)?),
            code::COMPILE_UNIT => Self::Unit(values.into()),
            code::COMPOSITE_TYPE => Self::Other,
            other if code::OTHERS.contains(&other) => Self::Other,
            _ => return None,
        })
    }
}

/// LLVM makes one type of two modules' types with this identifier.
pub(super) fn is_unified(code: u64, values: &[u64]) -> bool {
    code == code::COMPOSITE_TYPE && values.get(TYPE_IDENTIFIER).is_some_and(|identifier| *identifier != 0)
}

/// Describes the only unit of a module, whose record this is, and returns the number of its file. `string` gives the text of a
/// number.
pub(super) fn unit<'a>(record: &[u64], string: impl Fn(u64) -> Option<&'a [u8]>, sink: &mut Sink) -> Option<u64> {
    let is_known = (SHORTEST_UNIT..=LONGEST_UNIT).contains(&record.len());
    let is_whole = record.get(UNIT_SPLIT_NAME) == Some(&0) && EMISSION.contains(record.get(UNIT_EMISSION)?);
    if !is_known || !is_whole {
        return None;
    }
    sink.tag(b'u');
    sink.number(record.len() as u64);
    for (value, field) in record.iter().zip(UNIT) {
        match field {
            Plain => sink.number(*value),
            Text => sink.bytes(string(*value)?),
            Elsewhere => {}
        }
    }
    record.get(UNIT_FILE)?.checked_sub(1)
}
