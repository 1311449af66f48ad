//! lld's DTLTO job files: any bytes are one or an error; no two jobs of one write the same file, and its options can be
//! read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use thindist_core::flags::dtlto_flags;
use thindist_core::lld::dtlto;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(name) = str::from_utf8(bytes) {
        let _ = (dtlto::linker_process(name), dtlto::unpacked_member(name));
    }
    let Ok(jobs) = dtlto::parse(bytes) else { return };
    let outputs: BTreeSet<&str> = jobs.jobs.iter().map(|job| job.output.as_str()).collect();
    assert_eq!(outputs.len(), jobs.jobs.len(), "two jobs have one output");
    let line = dtlto_flags::line_of_jobs(&jobs, &[]);
    let flags = dtlto_flags::of_line(&jobs, &line);
    assert!(flags.is_ok() || jobs.opt_level > 3, "the line that a job file tells of has no options");
    let _ = dtlto_flags::of_line(&jobs, &jobs.extra);
});
