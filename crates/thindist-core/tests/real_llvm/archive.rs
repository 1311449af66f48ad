//! Archives made by real tools, and lld's own names for their members.

use crate::tools::{Random, Scratch, VERSIONS, compile};
use std::collections::BTreeSet;
use thindist_core::archive::{self, ArchiveError};

const LONG: &str = "sub/deep/a_member_whose_name_goes_into_the_table_of_names.c";
const SOURCES: [(&str, &str); 5] = [
    ("main.c", "int b(int); int c(void); int d(void); int main(void) { return b(1) + c() + d(); }"),
    ("b.c", "int b(int x) { return x; }"),
    ("sub/c.c", "int b(int); int c(void) { return b(3); }"),
    ("other/c.c", "int e(void) { return 7; }"),
    (LONG, "int e(void); int d(void) { return e(); }"),
];

/// What lld calls the modules of `inputs`.
fn names_by_lld(version: u32, scratch: &Scratch, inputs: &str) -> BTreeSet<String> {
    scratch.run(&format!("ld.lld-{version} -r -o out.o --whole-archive {inputs} --thinlto-index-only=list"));
    String::from_utf8(scratch.read("list")).unwrap().lines().map(str::to_owned).collect()
}

fn names_by_us(scratch: &Scratch, archive_path: &str) -> BTreeSet<String> {
    let bytes = scratch.read(archive_path);
    let parsed = archive::parse(&bytes).unwrap();
    parsed.members.iter().map(|member| archive::identifier(archive_path, member)).collect()
}

/// `kind` is `--thin` or nothing; odd sizes, equal names and long names are among the members.
fn library(version: u32, kind: &str) -> Scratch {
    let scratch = Scratch::new("archive");
    compile(version, &scratch, &SOURCES);
    let long = LONG.replace(".c", ".o");
    scratch.run(&format!("llvm-ar-{version} qcsD {kind} l.a b.o sub/c.o other/c.o {long}"));
    scratch.run(&format!("llvm-ar-{version} qcsD {kind} sub/m.a sub/c.o other/c.o {long}"));
    scratch
}

#[test]
fn identifiers_are_those_of_lld() {
    for version in VERSIONS {
        for kind in ["", "--thin"] {
            let scratch = library(version, kind);
            let absolute = scratch.path("sub/m.a").display().to_string();
            for path in ["l.a", "./l.a", "sub/m.a", "other/../sub//m.a", &absolute] {
                let lld = names_by_lld(version, &scratch, path);
                assert!(lld.len() >= 3, "{lld:?}");
                assert_eq!(names_by_us(&scratch, path), lld, "lld {version}, {kind} {path}");
            }
        }
    }
}

/// GNU ar writes thin archives with absolute member paths if it is given such.
#[test]
fn identifiers_of_absolute_members_are_those_of_lld() {
    for version in VERSIONS {
        let scratch = library(version, "--thin");
        let member = scratch.path("sub/c.o");
        scratch.run(&format!("ar rcsPD --thin gnu.a {} b.o", member.display()));
        assert_eq!(names_by_us(&scratch, "gnu.a"), names_by_lld(version, &scratch, "gnu.a"));
    }
}

/// BSD's and Darwin's: long names before the content, another symbol table.
#[test]
fn identifiers_and_content_in_other_formats_are_those_of_lld() {
    for version in VERSIONS {
        let scratch = library(version, "");
        let files = ["b.o", "sub/c.o", "other/c.o", &LONG.replace(".c", ".o")];
        for format in ["bsd", "darwin"] {
            let path = format!("{format}.a");
            scratch.run(&format!("llvm-ar-{version} --format={format} qcsD {path} {}", files.join(" ")));
            assert_eq!(names_by_us(&scratch, &path), names_by_lld(version, &scratch, &path), "{version} {format}");
            let bytes = scratch.read(&path);
            let members = archive::parse(&bytes).unwrap().members;
            assert_eq!(members.len(), files.len());
            for (member, file) in members.iter().zip(files) {
                // Darwin's are filled up to a multiple of eight, which is part of them.
                let (content, file) = (member.data.unwrap(), scratch.read(file));
                assert!(content.starts_with(&file) && content.len() < file.len() + 8);
            }
        }
    }
}

#[test]
fn thin_members_are_named_by_path_and_have_no_content() {
    let scratch = library(22, "--thin");
    let bytes = scratch.read("sub/m.a");
    let parsed = archive::parse(&bytes).unwrap();
    assert!(parsed.thin);
    let names: Vec<_> = parsed.members.iter().map(|member| member.name).collect();
    let long = LONG.replace("sub/", "").replace(".c", ".o");
    assert_eq!(names, ["c.o", "../other/c.o", long.as_str()]);
    for member in &parsed.members {
        assert_eq!(member.data, None);
        assert_eq!(member.size, scratch.read(format!("sub/{}", member.name)).len() as u64);
    }
}

#[test]
fn regular_members_have_their_content() {
    let scratch = library(22, "");
    let bytes = scratch.read("l.a");
    let parsed = archive::parse(&bytes).unwrap();
    assert!(!parsed.thin);
    let files = ["b.o", "sub/c.o", "other/c.o", &LONG.replace(".c", ".o")];
    for (member, file) in parsed.members.iter().zip(files) {
        assert_eq!(member.name, file.rsplit('/').next().unwrap());
        assert_eq!(member.data, Some(scratch.read(file).as_slice()));
        assert_eq!(member.size, member.data.unwrap().len() as u64);
    }
    assert_eq!(parsed.members.len(), files.len());
}

/// A member's header with fields where they belong.
fn header(name: &str, size: &str) -> String {
    format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644)
}

#[test]
fn broken_archives_are_errors_that_say_where() {
    let check = |content: &str, expect: &str| {
        let error = archive::parse(content.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
    };
    let with = |rest: &str| format!("!<arch>\n{rest}");
    check("", "not an archive");
    check("!<arch>", "not an archive");
    check(&with("x"), "the member header at offset 8 goes beyond the end at 9");
    check(&with(&header("a/", "1")), "the content of the member at offset 8");
    check(&with(&header("a/", "9999999999")), "the content of the member at offset 8");
    check(&with(&header("a/", "-1")), "a size that is not a decimal number");
    check(&with(&header("a/", "")), "a size that is not a decimal number");
    check(&with(&header("a/", "0").replace('`', "'")), "no terminator");
    check(&with(&header("/5", "0")), "a long name without a table of names before it");
    check(&with(&(header("//", "4") + "a.o/" + &header("/0", "0"))), "a long name without an end");
    check(&with(&(header("//", "4") + "ab/\n" + &header("/9", "0"))), "beyond the end of the table of names");
    check(&with(&(header("//", "4") + "ab/\n" + &header("/0:8", "0"))), "nested in a thin archive");
    check(&with(&(header("//", "2") + "/\n" + &header("/0", "0"))), "an empty name");
    check(&with(&header("#1/20", "20")), "the content of the member at offset 8");
    check(&with(&(header("#1/x", "2") + "xx")), "the length of a BSD long name that is not a decimal number");
    check(&with(&(header("#1/3", "2") + "xx")), "a BSD long name that is longer than the member");
    check(&with(&(header("#1/2", "2") + "\0\0")), "an empty name");
    check(&with(&(header("a/", "2") + "xx" + &header("#1/3", "2") + "xx")), "offset 70");
    let thin = format!("!<thin>\n{}", header("#1/20", "20"));
    assert!(matches!(archive::parse(thin.as_bytes()), Err(ArchiveError::Unsupported { .. })));
}

#[test]
fn small_archives() {
    assert!(archive::parse(b"!<arch>\n").unwrap().members.is_empty());
    assert!(archive::parse(b"!<thin>\n").unwrap().thin);
    assert_eq!(archive::parse(b"BC\xc0\xde"), Err(ArchiveError::NotAnArchive));
    // The last member may lack the byte that makes its size even.
    let odd = format!("!<arch>\n{}abc", header("a.o/", "3"));
    let odd = archive::parse(odd.as_bytes()).unwrap();
    assert_eq!((odd.members[0].name, odd.members[0].header_offset, odd.members[0].size), ("a.o", 8, 3));
    assert_eq!(odd.members[0].data, Some(&b"abc"[..]));
}

#[test]
fn damaged_archives_do_not_panic() {
    for kind in ["", "--thin"] {
        let scratch = library(22, kind);
        let bytes = scratch.read("l.a");
        let mut random = Random(1);
        for _ in 0..5_000 {
            let damaged = random.damage(&bytes);
            if let Ok(parsed) = archive::parse(&damaged) {
                assert!(parsed.members.len() <= damaged.len() / 60);
            }
        }
    }
}
