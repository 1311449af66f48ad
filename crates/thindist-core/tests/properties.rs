//! What holds for any input: what is written is read back, and no bytes bring a reader down.

use proptest::collection::vec;
use proptest::prelude::*;
use thindist_core::bitcode::bitstream::{Block, BlockInfo, Extent, Item, Record};
use thindist_core::bitcode::bitstream_writer::BlockWriter;
use thindist_core::lld::link_line::LinkLine;
use thindist_core::lld::link_line::response_file::{join, tokenize, tokenize_windows};
use thindist_core::lld::symbol_order::{Definition, File, Kind, Resolution, Symbol, Visibility};
use thindist_core::lld::versions::nearest;
use thindist_core::object::{archive, archive_writer};

/// Words as lines may have them, the marks of every quoting often among them.
fn word() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just('"'), Just('\''), Just('\\'), Just(' '), Just('\n'), any::<char>()], 0..12)
        .prop_map(|characters| characters.into_iter().filter(|character| *character != '\0').collect())
}

/// Names with and without a slash, short and long.
fn name() -> impl Strategy<Value = String> {
    "[a-z.+_-]{1,40}(/[a-z.]{1,20})?"
}

fn symbol() -> impl Strategy<Value = Symbol> {
    let definition = prop_oneof![Just(Definition::Undefined), Just(Definition::Defined), Just(Definition::Common)];
    let visibility = prop_oneof![
        Just(Visibility::Default),
        Just(Visibility::Protected),
        Just(Visibility::Hidden),
        Just(Visibility::Internal)
    ];
    ("[a-d](@@?V[12])?", definition, any::<bool>(), visibility)
        .prop_map(|(name, definition, weak, visibility)| Symbol { name, definition, weak, visibility })
}

fn files() -> impl Strategy<Value = Vec<File>> {
    let kind = prop_oneof![3 => Just(Kind::Native), 3 => Just(Kind::Bitcode), 1 => Just(Kind::Shared)];
    let file = (kind, any::<bool>(), vec(symbol(), 0..5)).prop_map(|(kind, lazy, symbols)| File {
        name: String::new(),
        kind,
        lazy: lazy && kind != Kind::Shared,
        symbols,
        soname: None,
    });
    let named = |(number, file): (usize, File)| File { name: format!("f{number}"), ..file };
    vec(file, 0..7).prop_map(move |files| files.into_iter().enumerate().map(named).collect())
}

proptest! {
    #[test]
    fn a_symbol_is_its_word(symbol in symbol(), rest in ".{0,8}") {
        let symbol = Symbol { name: symbol.name + &rest, ..symbol };
        prop_assert_eq!(Symbol::try_from(String::from(symbol.clone())), Ok(symbol));
    }

    /// Every name has one place and every file is loaded at most once: those of the line all and in its order, a member only if
    /// somebody has met it.
    #[test]
    fn names_and_files_are_entered_once(files in files()) {
        let mut resolution = Resolution::of(&files, &[], nearest(22));
        let mut names = resolution.names().to_vec();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), resolution.names().len());
        let mut loaded = resolution.loaded().to_vec();
        let of_line: Vec<usize> = loaded.iter().copied().filter(|number| !files[*number].lazy).collect();
        let expected: Vec<usize> = (0..files.len()).filter(|number| !files[*number].lazy).collect();
        prop_assert_eq!(of_line, expected);
        let trace: Vec<String> = loaded.iter().map(|number| files[*number].name.clone()).collect();
        prop_assert!(resolution.agrees_with(&trace), "{trace:?}");
        loaded.sort_unstable();
        loaded.dedup();
        prop_assert_eq!(loaded.len(), trace.len());
    }

    #[test]
    fn a_response_file_has_the_words_that_were_joined(words in vec(word(), 0..8)) {
        prop_assert_eq!(tokenize(&join(&words)), words);
    }

    #[test]
    fn plain_words_are_the_same_in_both_quotings(words in vec("[a-zA-Z0-9=,./-]{1,12}", 0..8)) {
        let text = words.join("\r\n");
        prop_assert_eq!(tokenize(&text), words.clone());
        prop_assert_eq!(tokenize_windows(&text), words);
    }

    /// What a line says is a matter of its words: joined and read again it is the same line.
    #[test]
    fn a_line_is_its_words(words in vec(prop_oneof![word(), "-[a-zA-Z]{1,3}", "--[a-z-]{2,16}(=[a-z]{0,4})?"], 0..8)) {
        if let Ok(line) = LinkLine::parse(&words) {
            let again: Vec<String> = line.arguments().iter().flat_map(|argument| argument.words.clone()).collect();
            prop_assert_eq!(again, words);
        }
    }

    #[test]
    fn an_archive_has_the_members_that_were_put_in(members in vec((name(), vec(any::<u8>(), 0..50)), 0..8)) {
        let members: Vec<(&str, &[u8])> = members.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        let bytes = archive_writer::regular(&members);
        let parsed = archive::parse(&bytes).unwrap();
        let read: Vec<(&str, &[u8])> = parsed.members.iter().map(|member| (member.name, member.data.unwrap())).collect();
        prop_assert_eq!(read, members);
        let offsets: Vec<u64> = parsed.members.iter().map(|member| member.header_offset).collect();
        prop_assert!(offsets.is_sorted_by(|left, right| left < right), "{:?}", offsets);
    }

    /// Whatever is cut off an archive, or changed in it, is an error or another archive.
    #[test]
    fn a_damaged_archive_is_no_panic(
        members in vec((name(), vec(any::<u8>(), 0..20)), 1..4),
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let members: Vec<(&str, &[u8])> = members.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        let mut bytes = archive_writer::regular(&members);
        let _ = archive::parse(&bytes[..cut.index(bytes.len())]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = archive::parse(&bytes);
    }

    #[test]
    fn a_block_has_the_records_that_were_written(
        width in 2_u32..9,
        records in vec((any::<u32>(), vec(any::<u64>(), 0..20)), 0..8),
    ) {
        let mut writer = BlockWriter::new(width);
        for (code, values) in &records {
            writer.record(u64::from(*code), values.iter().copied());
        }
        let content = writer.finish();
        prop_assert_eq!(content.len() % 4, 0);
        let mut info = BlockInfo::default();
        let extent = Extent { id: 17, width, start: 0, end: content.len() };
        let mut block = Block::top_level(&content).enter(extent, &info);
        let mut record = Record::default();
        let mut read = Vec::new();
        while matches!(block.next(&mut info, &mut record).unwrap(), Item::Record) {
            read.push((u32::try_from(record.code).unwrap(), record.values.clone()));
        }
        prop_assert_eq!(read, records);
    }
}
