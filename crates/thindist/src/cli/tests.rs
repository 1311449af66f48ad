//! What lines mean.

use super::parser::usage;
use super::*;

fn parse(line: &str) -> std::result::Result<Command, clap::Error> {
    let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    cargo::keep_words(&mut words);
    Cli::try_parse_from(std::iter::once(NAME.into()).chain(words)).map(|cli| cli.command.unwrap())
}

#[track_caller]
fn line(text: &str, expect: &str) {
    let words = match parse(text).unwrap() {
        Command::Ld(line) | Command::Verify(line) => line.words,
        other => panic!("{other:?}"),
    };
    assert_eq!(words.join(" ".as_ref()), expect, "{text}");
}

#[test]
fn the_table_makes_sense() {
    Cli::command().debug_assert();
}

#[test]
fn words_of_lld_are_llds() {
    line("verify -- -r a.o -o b.o", "-r a.o -o b.o");
    line("verify -r a.o --color-diagnostics -o b.o --help", "-r a.o --color-diagnostics -o b.o --help");
    line("verify -o b.o --color never -- a.o", "-o b.o --color never -- a.o");
    line("verify -- -- a.o", "-- a.o");
    line("verify -- --help", "--help");
    line("--color never ld -- --version", "--version");
    line("verify --color never --gc-sections a.o", "--gc-sections a.o");
}

#[track_caller]
fn of_cargo(text: &str, with: bool, expect: &str) {
    let Command::Cargo(options) = parse(text).unwrap() else { panic!("{text}") };
    let (with_c, words) = options.parts();
    assert_eq!((with_c, words.join(" ".as_ref())), (with, expect.into()), "{text}");
}

#[test]
fn words_of_cargo_are_cargos() {
    of_cargo("cargo build --release", false, "build --release");
    of_cargo("cargo --with-c build --with-c", true, "build --with-c");
    of_cargo("cargo --color always build -- --help", false, "--color always build -- --help");
    of_cargo("cargo +nightly build --help", false, "+nightly build --help");
    of_cargo("cargo --with-c --version", true, "--version");
    assert_eq!(parse("cargo --help").unwrap_err().kind(), clap::error::ErrorKind::DisplayHelp);
}

#[test]
fn usage_is_one_line_in_small_letters() {
    let text = usage("compare");
    assert!(text.starts_with("usage: thindist compare ") && !text.contains('\n'), "{text}");
}
