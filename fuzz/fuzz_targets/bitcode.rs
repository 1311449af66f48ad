//! Bitcode: what a module says of itself, what a linker sees of it, and what importers get of it. Facts that are stored
//! are read back unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::bitcode;
use thindist_core::import_facts::{self, ImportFacts};
use thindist_core::lld::ir_symbols;

fuzz_target!(|bytes: &[u8]| {
    let _ = (bitcode::read_module(bytes), ir_symbols::read(bytes));
    let Some(facts) = import_facts::read(bytes) else { return };
    let stored = facts.to_bytes();
    let back = ImportFacts::from_bytes(&stored).map(|facts| facts.to_bytes());
    assert_eq!(back, Some(stored), "facts that were stored are not what was stored");
});
