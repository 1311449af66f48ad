//! How records of constants and instructions are laid out: one row a record code, in a small notation.
//!
//! | letter | what the number is |
//! | --- | --- |
//! | `#` | itself: an opcode, flags, an alignment, a basic block of the same function |
//! | `t` | a type |
//! | `c` | a value, by its number |
//! | `v` | a value, by how far its number is before the instruction's own |
//! | `s` | the same, signed: a phi may refer to what follows it |
//! | `V` | the same as `v`; a value that follows has its type after it |
//! | `m` | metadata, plus one; zero is none |
//! | `d` | a node of debug information, which is left out |
//! | `e` | what a variable is, in debug information: metadata that is a value or a list of them |
//!
//! A row's head stands once, its tail any number of times until the record ends. Codes without a row are those of old
//! LLVM versions, of other platforms (funclets), and whatever comes after this was written: what holds one of them is
//! not described, and its importers depend on the whole module. So a row that is missing costs time; only a row that is
//! wrong could cost bytes, and tests/real_llvm/import_facts.rs holds them against LLVM's own reader.

/// One record's layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) code: u64,
    pub(super) head: &'static str,
    pub(super) tail: &'static str,
    /// The instruction is a value itself and takes the next number.
    pub(super) is_value: bool,
}

const fn constant(code: u64, head: &'static str, tail: &'static str) -> Layout {
    Layout { code, head, tail, is_value: true }
}

const fn value(code: u64, head: &'static str, tail: &'static str) -> Layout {
    Layout { code, head, tail, is_value: true }
}

const fn effect(code: u64, head: &'static str, tail: &'static str) -> Layout {
    Layout { code, head, tail, is_value: false }
}

/// Constants. The type comes from the last SETTYPE.
pub(super) const CONSTANTS: &[Layout] = &[
    constant(2, "", ""),      // NULL
    constant(3, "", ""),      // UNDEF
    constant(4, "#", ""),     // INTEGER
    constant(5, "", "#"),     // WIDE_INTEGER
    constant(6, "", "#"),     // FLOAT: two or three numbers for the wide ones
    constant(7, "", "c"),     // AGGREGATE
    constant(8, "", "#"),     // STRING
    constant(9, "", "#"),     // CSTRING
    constant(10, "#cc", "#"), // CE_BINOP: opcode, operands, flags
    constant(11, "#tc", "#"), // CE_CAST: opcode, type, operand, flags
    constant(22, "", "#"),    // DATA
    constant(25, "#c", "#"),  // CE_UNOP
    constant(26, "", ""),     // POISON
    constant(27, "tc", ""),   // DSO_LOCAL_EQUIVALENT
    constant(29, "tc", ""),   // NO_CFI_VALUE
    constant(30, "t", "#"),   // INLINEASM: type, flags, template, constraints
    constant(32, "t#", "tc"), // CE_GEP: element type, flags, operands with their types
];

/// Instructions and what stands between them, but for calls, invocations, phis and branches, which no fixed row can tell.
pub(super) const INSTRUCTIONS: &[Layout] = &[
    value(2, "Vv#", "#"),      // BINOP: operands, opcode, flags
    value(3, "Vt#", "#"),      // CAST: operand, type, opcode, flags
    value(6, "VV", ""),        // EXTRACTELT
    value(7, "VvV", ""),       // INSERTELT
    value(8, "Vvv", ""),       // SHUFFLEVEC: operands, mask
    effect(10, "", "V"),       // RET
    effect(12, "tv#", "c#"),   // SWITCH: type, condition, default block, case and block
    effect(15, "", ""),        // UNREACHABLE
    value(19, "ttc#", "#"),    // ALLOCA: type, type of the count, count, alignment and flags, address space
    value(20, "Vt##", ""),     // LOAD: pointer, type, alignment, volatile
    value(23, "tvt", ""),      // VAARG: type of the list, list, type
    value(26, "V", "#"),       // EXTRACTVAL: aggregate, indices
    value(27, "VV", "#"),      // INSERTVAL: aggregate, value, indices
    value(28, "Vv#", "#"),     // CMP2: operands, predicate, flags
    value(29, "VvV", "#"),     // VSELECT: true, false, condition, flags
    effect(31, "tv", "#"),     // INDIRECTBR: type, address, blocks
    effect(33, "", ""),        // DEBUG_LOC_AGAIN
    effect(35, "##mm", "#"),   // DEBUG_LOC: line, column, scope, inlined at, implicit, atom
    effect(36, "##", ""),      // FENCE: ordering, scope
    effect(39, "V", ""),       // RESUME
    value(41, "Vt####", ""),   // LOADATOMIC: as LOAD, ordering, scope
    value(43, "#t", "V"),      // GEP: flags, element type, operands
    effect(44, "VV##", ""),    // STORE: pointer, value, alignment, volatile
    effect(45, "VV####", ""),  // STOREATOMIC: as STORE, ordering, scope
    value(46, "VVv", "#"),     // CMPXCHG: pointer, expected, new, volatile, orderings, scope, weak, alignment
    value(47, "t##", "#V"),    // LANDINGPAD: type, cleanup, number of clauses, kind and clause
    effect(55, "#", "V"),      // OPERAND_BUNDLE: tag, operands; of the call that follows
    value(56, "V#", "#"),      // UNOP: operand, opcode, flags
    value(58, "V", ""),        // FREEZE
    value(59, "VV", "#"),      // ATOMICRMW: pointer, value, operation, volatile, ordering, scope, alignment
    effect(61, "ddde", ""),    // DEBUG_RECORD_VALUE: location, variable, expression, value
    effect(62, "ddde", ""),    // DEBUG_RECORD_DECLARE: the same
    effect(63, "dddedde", ""), // DEBUG_RECORD_ASSIGN: the same, identity, expression and value of the address
    effect(64, "dddV", ""),    // DEBUG_RECORD_VALUE_SIMPLE: location, variable, expression, value
    effect(65, "dd", ""),      // DEBUG_RECORD_LABEL: location, label
];

/// The row of a record code.
pub(super) fn find(rows: &'static [Layout], code: u64) -> Option<&'static Layout> {
    rows.iter().find(|row| row.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_row_of_known_letters() {
        for rows in [CONSTANTS, INSTRUCTIONS] {
            assert!(rows.windows(2).all(|pair| matches!(pair, [a, b] if a.code < b.code)), "rows are sorted");
            for row in rows {
                let letters = row.head.chars().chain(row.tail.chars());
                assert!(letters.into_iter().all(|letter| "#tcvsVmde".contains(letter)), "{row:?}");
            }
        }
    }
}
