//! Job files: any bytes are one or an error, and what was read is written unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::formats::job_file::JobFile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = JobFile::parse(bytes, "0.1.0") else { return };
    let text = file.to_text().expect("a job file that was read cannot be written");
    assert_eq!(JobFile::parse(text.as_bytes(), "0.1.0").expect("nor read again"), file);
});
