//! What users read, whole: errors with their hints, warnings, `doctor`, `what-ran`, `explain`, and the plan of a link.
//!
//! What changes from run to run is a word in capitals. `UPDATE_EXPECT=1 cargo test -p thindist --test e2e words::` writes what is said now.

use crate::programs::{CHAIN_OBJECTS, chain, edit};
use expect_test::{Expect, expect};
use testkit::{Run, Sandbox, Tool};

/// Their words do not differ by LLVM, but for its number.
const LLVM: u32 = 22;

fn sandbox() -> Sandbox {
    let sandbox = crate::sandbox(LLVM);
    chain(&sandbox);
    sandbox
}

/// Without what is another one in each run: the sandbox, digests, figures and the width of columns.
fn plain(sandbox: &Sandbox, text: &str) -> String {
    let root = sandbox.root("").display().to_string();
    let text = text.replace(root.trim_end_matches('/'), "SANDBOX");
    text.lines().map(|line| plain_words(line) + "\n").collect()
}

fn plain_words(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(plain_word).collect();
    // A rule below a heading is as wide as the columns.
    if words.iter().all(|word| word.chars().all(|letter| letter == '-')) && !words.is_empty() {
        return "---".to_owned();
    }
    words.join(" ")
}

fn plain_word(word: &str) -> String {
    let bare = word.trim_matches(|letter: char| "\",.;:()".contains(letter));
    let is_digest = |text: &str| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let hashed = bare.split_once('/').is_some_and(|(hash, size)| is_digest(hash) && is_number(size));
    match bare {
        _ if is_digest(bare) || hashed => word.replace(bare, "DIGEST"),
        _ if is_number(bare) && bare.contains('.') => word.replace(bare, "FIGURE"),
        _ => word.to_owned(),
    }
}

#[track_caller]
fn expect_words(sandbox: &Sandbox, run: &Run, expected: &Expect) {
    expected.assert_eq(&format!("{}{}", plain(sandbox, &run.stdout), plain(sandbox, &run.stderr)));
}

fn thindist(sandbox: &Sandbox, words: &str) -> Tool {
    sandbox.tool("thindist").args(words)
}

fn link(sandbox: &Sandbox) -> Tool {
    sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o out.o"))
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let sandbox = sandbox();
    let said = |tool: Tool, code: i32, expected: Expect| expect_words(&sandbox, &tool.run().exits(code), &expected);
    said(
        sandbox.ld("-r none.o -o out.o"),
        1,
        expect![[r#"
        ld.lld-22: error: cannot open none.o: No such file or directory
    "#]],
    );
    said(
        link(&sandbox).env("THINDIST_LLD", "ld.lld-none"),
        1,
        expect![[r#"
        thindist: error: THINDIST_LLD=ld.lld-none: no such linker
        thindist: hint: give a path, or a name in PATH
    "#]],
    );
    said(
        link(&sandbox).env("THINDIST_MEMO", "perhaps"),
        1,
        expect![[r#"
        thindist: error: THINDIST_MEMO=perhaps: expected `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`
    "#]],
    );
    said(
        link(&sandbox).env("THINDIST_WAYS", "index-only"),
        0,
        expect![[r#"
        thindist: warning: THINDIST_WAYS is no setting; did you mean THINDIST_WAY?
    "#]],
    );
    said(
        link(&sandbox).env("THINDIST_REMOTE_CACHE", "http//127.0.0.1"),
        1,
        expect![[r#"
        thindist: error: remote_cache=http//127.0.0.1: expected a host and a port, and nothing after them
    "#]],
    );
    said(
        sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o out.o --save-temps")),
        0,
        expect![[r#"
        thindist: warning: --save-temps cannot be carried to separate backends: it asks the in-process backends for files or text of their own; linking in-process
    "#]],
    );
    said(
        link(&sandbox).arg("--save-temps").env("THINDIST_FALLBACK", "never"),
        1,
        expect![[r#"
        thindist: error: --save-temps cannot be carried to separate backends: it asks the in-process backends for files or text of their own
        thindist: hint: leave the option out, or allow in-process ThinLTO with THINDIST_FALLBACK=warn
    "#]],
    );
    said(
        thindist(&sandbox, "whatran"),
        1,
        expect![[r#"
        thindist: error: unrecognized subcommand 'whatran'
        thindist: hint: some similar subcommands exist: 'what-changed', 'what-ran'
    "#]],
    );
    said(
        thindist(&sandbox, "what-ran none.o"),
        1,
        expect![[r#"
        thindist: error: cannot read none.o: No such file or directory
        thindist: hint: link something first: a link that is remembered whole leaves nothing there
    "#]],
    );
    said(
        thindist(&sandbox, "backend none.json"),
        1,
        expect![[r#"
        thindist: error: cannot read none.json: No such file or directory
        thindist: hint: check the path, or build the file first
    "#]],
    );
    said(
        thindist(&sandbox, "diff main.o none.o"),
        2,
        expect![[r#"
        thindist: error: cannot read none.o: No such file or directory
        thindist: hint: check the path, or build the file first
    "#]],
    );
}

#[test]
fn doctor_says_what_is_found() {
    let sandbox = sandbox();
    expect_words(
        &sandbox,
        &thindist(&sandbox, "doctor").ok(),
        &expect![[r#"
        ok cache: SANDBOX/cache (a blob written and read back)
        ok clang: /usr/lib/llvm-22/bin/clang-22 (LLVM 22, DIGEST)
        ok lld: /usr/bin/ld.lld-22 (LLVM 22, DIGEST)
        ok fallback: warn
        ok make jobserver: none (not started by make, or closed by it)
    "#]],
    );
}

#[test]
fn what_ran_and_explain_tell_of_the_last_link() {
    let sandbox = sandbox();
    expect_words(
        &sandbox,
        &thindist(&sandbox, "what-ran").run(),
        &expect![[r#"
        thindist: error: cannot read SANDBOX/cache/what-ran.jsonl: No such file or directory
        thindist: hint: link something first: a link that is remembered whole leaves nothing there
    "#]],
    );
    link(&sandbox).ok();
    edit(&sandbox, "leaf.c", "int leaf(int x) { return x * 5 + 1; }\n");
    link(&sandbox).ok();
    expect_words(
        &sandbox,
        &thindist(&sandbox, "what-ran").ok(),
        &expect![[r#"
        out.o in SANDBOX/work, index-only: the setting says so
        where queue fetch execute upload up down key module
        here FIGURE FIGURE FIGURE FIGURE - - DIGEST main.o
        here FIGURE FIGURE FIGURE FIGURE - - DIGEST middle.o
        local cache - - - - - - DIGEST alone.o
        here FIGURE FIGURE FIGURE FIGURE - - DIGEST leaf.o
    "#]],
    );
    expect_words(
        &sandbox,
        &thindist(&sandbox, "explain").ok(),
        &expect![[r#"
        out.o in SANDBOX/work, index-only: the setting says so
        3 of 4 modules ran; the stores had the objects of the others
        main.o: what it imports from leaf.o
        middle.o: what it imports from leaf.o
        leaf.o: its own bitcode and 1 more
    "#]],
    );
    expect_words(
        &sandbox,
        &thindist(&sandbox, "explain main.o").ok(),
        &expect![[r#"
        main.o of out.o in SANDBOX/work
        action DIGEST: it ran here, as no store had its object
        the link before had action DIGEST
        first input that differs: what it imports from leaf.o
        old: DIGEST
        new: DIGEST
        what would have spared it: nothing: what is imported is in its object
    "#]],
    );
}

/// A job is the plan of one module, as a file.
#[test]
fn a_plan_is_a_file_for_each_module() {
    let sandbox = sandbox();
    thindist(&sandbox, &format!("thin-link --list list -- -r {CHAIN_OBJECTS} -o out.o")).ok();
    expect![[r#"
        main.thinlto-native.o
        middle.thinlto-native.o
        alone.thinlto-native.o
        leaf.thinlto-native.o
    "#]]
    .assert_eq(&plain(&sandbox, &String::from_utf8(sandbox.read("list")).unwrap()));
    let job: serde_json::Value = serde_json::from_slice(&sandbox.read("main.o.thinlto.job")).unwrap();
    expect![[r#"
        {
        "arguments": [
        "-cc1",
        "-triple",
        "x86_64-pc-linux-gnu",
        "-emit-obj",
        "-O2",
        "-vectorize-loops",
        "-vectorize-slp",
        "-ffunction-sections",
        "-fdata-sections",
        "-faddrsig",
        "-mrelocation-model",
        "pic",
        "-disable-free",
        "-discard-value-names",
        "-Wno-override-module",
        "-x",
        "ir",
        "module.bc",
        "-fthinlto-index=index.thinlto.bc",
        "-o",
        "module.thinlto-native.o"
        ],
        "bitcode": "main.o",
        "bitcode_content": "DIGEST",
        "compiler": {
        "identity": "DIGEST",
        "path": "/usr/lib/llvm-22/bin/clang-22"
        },
        "elf_machine": 62,
        "extra_inputs": [],
        "imports": [
        {
        "bitcode": "leaf.o",
        "taken": {
        "part": "DIGEST"
        }
        },
        {
        "bitcode": "middle.o",
        "taken": {
        "part": "DIGEST"
        }
        }
        ],
        "index": "main.o.thinlto.bc",
        "index_content": "DIGEST",
        "schema": 3,
        "thindist": "FIGURE",
        "working_directory_depth": 0
        }
    "#]]
    .assert_eq(&plain(&sandbox, &serde_json::to_string_pretty(&job).unwrap()));
}
