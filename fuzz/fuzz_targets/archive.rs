//! Archives, regular and thin: any bytes are an archive or an error, and members lie within it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::object::{archive, file_kind};

fuzz_target!(|bytes: &[u8]| {
    let _ = file_kind::file_kind(bytes);
    let Ok(parsed) = archive::parse(bytes) else { return };
    for member in &parsed.members {
        let _ = archive::identifier("lib.a", member);
    }
});
