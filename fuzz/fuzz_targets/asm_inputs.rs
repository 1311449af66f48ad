//! Assembly: the files that it names, for any input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::bitcode::asm_inputs;

fuzz_target!(|text: &str| {
    let _ = asm_inputs::scan(text, false);
    let _ = asm_inputs::scan(text, true);
});
