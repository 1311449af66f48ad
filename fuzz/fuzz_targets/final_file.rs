//! What a thin link writes for the final link: any bytes are such a file or an error, and what was read is written
//! unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::formats::final_file::FinalFile;

const WORDS: [&str; 3] = ["a.o", "-o", "out"];

fuzz_target!(|bytes: &[u8]| {
    let parse = |bytes: &[u8]| FinalFile::parse(bytes, WORDS.into_iter(), "0.1.0");
    let Ok(file) = parse(bytes) else { return };
    let text = file.to_text().expect("a file that was read cannot be written");
    assert_eq!(parse(text.as_bytes()).expect("nor read again"), file);
});
