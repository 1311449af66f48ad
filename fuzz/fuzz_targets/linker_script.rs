//! Linker scripts: the files that they mention, for any input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::lld::linker_script;

fuzz_target!(|text: &str| {
    let _ = linker_script::mentions(text);
});
