//! What the record of a global value says: whether it is defined here, yields to another file's definition, and is
//! known to be in this output.
//!
//! Names are known by their places in a table that follows the module.

use crate::bitcode::bitstream::Record;

const MODULE_VARIABLE: u64 = 7;
const MODULE_FUNCTION: u64 = 8;
const MODULE_ALIAS: u64 = 14;
/// Internal and private.
const LOCAL: [u64; 2] = [3, 9];
/// Linkages of definitions that give way to another: weak, linkonce, common, in their old and new numbers.
const YIELDING: [u64; 9] = [1, 4, 8, 10, 11, 16, 17, 18, 19];

/// Whether a record of a value is a definition: the fifth value is a variable's initialiser or says that a function is
/// only declared.
fn is_defined(record: &Record<'_>) -> Option<bool> {
    Some(match record.code {
        MODULE_VARIABLE => record.value(4)? != 0,
        MODULE_FUNCTION => record.value(4)? == 0,
        _ => true,
    })
}

/// Where the name of a symbol is that is defined here and may yield to another file's: all records begin with offset and
/// length of the name; the sixth value is the linkage.
pub(crate) fn yielding_name(record: &Record<'_>) -> Option<(u64, u64)> {
    let yields = YIELDING.contains(&record.value(5)?);
    (is_defined(record)? && yields).then_some((record.value(0)?, record.value(1)?))
}

/// Whether a value is certain to be in the output of this file, as far as this module says. An ifunc's record says nothing.
fn is_dso_local(record: &Record<'_>) -> Option<bool> {
    let dso_local = match record.code {
        MODULE_VARIABLE => 15,
        MODULE_FUNCTION => 17,
        MODULE_ALIAS => 10,
        _ => return None,
    };
    // A variable's record is cut short where nothing is said.
    Some(LOCAL.contains(&record.value(5)?) || record.value(dso_local).unwrap_or(0) != 0)
}

/// Where the name of a global value is that may be in another file of the program at run time, as far as this module says.
pub(crate) fn name_if_not_dso_local(record: &Record<'_>) -> Option<(u64, u64)> {
    (!is_dso_local(record)?).then_some((record.value(0)?, record.value(1)?))
}

/// Where the name of a function is that is declared here: one that is defined here LLVM may drop, and a local one is no other
/// module's.
pub(crate) fn declared_function(record: &Record<'_>) -> Option<(u64, u64)> {
    let is_declared = record.code == MODULE_FUNCTION && !is_defined(record)? && !LOCAL.contains(&record.value(5)?);
    is_declared.then_some((record.value(0)?, record.value(1)?))
}

/// Where the name of a variable is that others can name, declared or defined.
pub(crate) fn variable_name(record: &Record<'_>) -> Option<(u64, u64)> {
    let is_named = record.code == MODULE_VARIABLE && !LOCAL.contains(&record.value(5)?);
    is_named.then_some((record.value(0)?, record.value(1)?))
}

/// Where the name of a definition is that others can name, and whether it is `dso_local`.
pub(crate) fn definition(record: &Record<'_>) -> Option<((u64, u64), bool)> {
    let is_definition = is_defined(record)? && !LOCAL.contains(&record.value(5)?);
    is_definition.then_some(((record.value(0)?, record.value(1)?), is_dso_local(record)?))
}
