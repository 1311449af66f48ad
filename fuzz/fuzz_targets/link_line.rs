//! Link lines and response files: words are read back as they were joined, and every question about a line has an
//! answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::link_line::{InputName, LinkLine, response_file};

fuzz_target!(|text: &str| {
    let words = response_file::tokenize(text);
    assert_eq!(response_file::tokenize(&response_file::join(&words)), words);
    let Ok(line) = LinkLine::parse(&words) else { return };
    let _ = (line.output(), line.output_kind(), line.jobs(), line.refusal(), line.warnings(), line.is_immediate());
    let directories = line.search_directories();
    for input in line.inputs() {
        if let InputName::Library(search) = &input.name {
            let _ = search.candidates(&directories);
        }
    }
    let _ = LinkFlags::of(&line).map(|flags| flags.summary());
    let kept: Vec<String> = line.arguments().iter().flat_map(|argument| argument.words.iter().cloned()).collect();
    assert_eq!(kept, words, "the words of a line are not its arguments' words");
});
