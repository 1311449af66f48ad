//! The program as people expect one: help, suggestions, colours, closed pipes, completions, man pages, traces.

use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::path::Path;
use testkit::{Run, Sandbox, Tool};

/// The beginning of every command that a terminal obeys.
const ESCAPE: char = '\x1b';

fn thindist(sandbox: &Sandbox, words: &str) -> Tool {
    sandbox.tool("thindist").args(words)
}

/// Every command that has something to say, and its exit code; the link is there already.
const COMMANDS: &[(&str, i32)] = &[
    ("--help", 0),
    ("--version", 0),
    ("help", 0),
    ("help settings", 0),
    ("help verify", 0),
    ("compare --help", 0),
    ("completions bash", 0),
    ("cache stats", 0),
    ("cache verify", 0),
    ("what-ran", 0),
    ("what-ran --reproduce main.o", 0),
    ("explain", 0),
    ("explain main.o", 0),
    ("diff main.thinlto-native.o leaf.thinlto-native.o", 1),
    ("what-changed main.thinlto-native.o leaf.thinlto-native.o", 1),
    ("verify -- -r main.o middle.o -o other.o", 0),
    ("compare -- -r main.o middle.o -o other.o", 0),
    ("ld -- -r --trace main.o middle.o -o traced.o", 0),
    ("frobnicate", 1),
    ("verify -- missing.o", 2),
];

fn linked(sandbox: &Sandbox) {
    chain(sandbox);
    sandbox.link(&format!("-r {CHAIN_OBJECTS} -o out.o"));
    thindist(sandbox, &format!("thin-link --list list -- -r {CHAIN_OBJECTS} -o out.o")).ok();
    thindist(sandbox, "backend main.o.thinlto.job leaf.o.thinlto.job").ok();
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let sandbox = crate::sandbox(22);
    linked(&sandbox);
    for (words, code) in COMMANDS {
        let read = thindist(&sandbox, words).run().exits(*code);
        let unread = thindist(&sandbox, words).unread().run().exits(*code);
        assert!(!unread.stderr.contains("pipe") && !unread.stderr.contains("panicked"), "{unread}");
        assert_eq!(unread.stderr.is_empty(), read.stderr.is_empty(), "{unread}");
        thindist(&sandbox, words).unheard().run().exits(*code);
    }
    let run = sandbox.tool("sh").arg("-c").arg("thindist --help | head -1").ok().says_nothing();
    assert_eq!(run.stdout, "Distributed, cached ThinLTO with the bytes of in-process ThinLTO\n");
}

/// What a line gives on a terminal.
fn in_terminal(sandbox: &Sandbox, line: &str) -> Tool {
    sandbox.tool("script").args("-qec").arg(line).arg("/dev/null").env("TERM", "xterm").env("SHELL", "/bin/sh")
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let sandbox = crate::sandbox(22);
    let is_coloured = |run: &Run| run.stdout.contains(ESCAPE) || run.stderr.contains(ESCAPE);
    for words in ["frobnicate", "--help", "doctor", "verify"] {
        let line = format!("thindist {words}");
        let coloured = in_terminal(&sandbox, &line).run();
        assert!(is_coloured(&coloured), "{coloured}");
        let plain = [
            in_terminal(&sandbox, &line).env("NO_COLOR", "1").run(),
            in_terminal(&sandbox, &line).env("TERM", "dumb").run(),
            in_terminal(&sandbox, &format!("thindist --color never {words}")).run(),
            in_terminal(&sandbox, &format!("thindist --color=never {words}")).run(),
            thindist(&sandbox, words).env("TERM", "xterm").run(),
        ];
        plain.iter().for_each(|run| assert!(!is_coloured(run), "{run}"));
        let asked = thindist(&sandbox, &format!("--color always {words}")).env("NO_COLOR", "1").run();
        assert!(is_coloured(&asked), "{asked}");
    }
    thindist(&sandbox, "frobnicate").run().exits(1).says("thindist: error: unrecognized subcommand 'frobnicate'");
}

/// What a terminal shows between two returns to the beginning of the line.
fn redrawn(run: &Run) -> Vec<String> {
    let shown = run.stdout.split(['\r', '\n']).filter(|line| line.contains("left"));
    shown.map(|line| line.replace("\x1b[K", "")).collect()
}

#[test]
fn a_terminal_of_20_columns() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    for words in ["--help", "help verify", "compare --help"] {
        let run = in_terminal(&sandbox, &format!("stty rows 25 cols 20 && thindist --color never {words}")).ok();
        let too_long = |line: &&str| line.trim_end().chars().count() > 20 && line.trim().contains(' ');
        // Names of options, and clap's own headings, are not taken apart.
        let is_whole =
            |line: &str| line.starts_with("Usage:") || line.trim().starts_with('-') || line.trim().ends_with(':');
        let long: Vec<&str> = run.stdout.lines().filter(too_long).filter(|line| !is_whole(line)).collect();
        assert!(long.is_empty(), "{long:?}\n{run}");
    }
    let link = format!("ld.thindist -r {CHAIN_OBJECTS} -o");
    let run = in_terminal(&sandbox, &format!("stty rows 25 cols 20 && {link} narrow.o")).ok();
    let lines = redrawn(&run);
    assert!(lines.is_empty(), "it fits into no 20 columns: {lines:?}");
    let first = run.stdout.split('\r').find(|line| line.contains("[0/4]")).unwrap_or_else(|| panic!("{run}"));
    assert_eq!(first.replace("\x1b[K", ""), "[0/4] 1 running, 0 ");
    sandbox.tool("thindist").args("cache clear").ok();
    let run = in_terminal(&sandbox, &format!("{link} wide.o")).ok();
    assert!(!redrawn(&run).is_empty(), "{run}");
    sandbox.tool("thindist").args("cache clear").ok();
    let run = in_terminal(&sandbox, &format!("{link} dumb.o")).env("TERM", "dumb").ok();
    assert_eq!(run.stdout, "", "a terminal that cannot redraw a line");
}

#[test]
fn what_is_misspelt_is_named_with_what_was_meant() {
    let sandbox = crate::sandbox(22);
    let refused = |words: &str, code: i32| thindist(&sandbox, words).run().exits(code);
    refused("verfy -- a.o", 1).says("'verfy'").says("thindist: hint: a similar subcommand exists: 'verify'");
    refused("what-changed --fromat json a b", 2)
        .says("a similar argument exists: '--format'")
        .says("usage: thindist what-changed");
    refused("cache sats", 1).says("'sats'").says("a similar subcommand exists: 'stats'");
    refused("cache", 1).says("usage: thindist cache ");
    refused("help verfy", 1).says("did you mean `verify`?");
    refused("help frobnicate", 1).says("`thindist help` lists them");
    refused("xyzzy", 1).says("`thindist help` lists them");
    refused("", 1).says("no command").says("thindist help");
    refused("doctor --color sometimes", 1).says("'sometimes'").says("[possible values: auto, always, never]");
    assert_eq!(refused("frobnicate", 1).lines_with("error"), 1);
}

#[test]
fn every_command_has_help() {
    let sandbox = crate::sandbox(22);
    let help = thindist(&sandbox, "--help").ok().stdout;
    let (_, after) = help.split_once("Commands:\n").unwrap();
    let commands: Vec<&str> = after
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert!(commands.len() >= 18, "{help}");
    for command in commands.iter().filter_map(|line| line.split(' ').next()) {
        // What follows `ld` is lld's.
        let asked = if command == "ld" { "help ld".to_owned() } else { format!("{command} --help") };
        let run = thindist(&sandbox, &asked).ok().says_nothing();
        assert!(run.stdout.contains(&format!("Usage: thindist {command}")), "{run}");
        assert_eq!(
            thindist(&sandbox, &format!("help {command}")).ok().stdout.lines().next(),
            run.stdout.lines().next()
        );
    }
    assert!(thindist(&sandbox, "ld --help").ok().stdout.contains("OVERVIEW: lld"), "it is lld's");
    assert!(thindist(&sandbox, "--version").ok().stdout.starts_with("thindist "));
}

/// The program's completions in the file that a shell reads.
fn completions(sandbox: &Sandbox, shell: &str) -> String {
    let script = thindist(sandbox, &format!("completions {shell}")).ok().says_nothing().stdout;
    let file = format!("completions.{shell}");
    sandbox.write(&file, &script);
    file
}

#[test]
fn bash_completes() {
    let sandbox = crate::sandbox(22);
    let file = completions(&sandbox, "bash");
    let complete = |words: &str, last: &str| {
        let count = words.split(' ').count();
        let script = format!(
            "source {file}; COMP_WORDS=({words} {last}); COMP_CWORD={count}; _thindist thindist \"{last}\" x; echo \"${{COMPREPLY[@]}}\""
        );
        sandbox.tool("bash").args("--norc -c").arg(script).ok().says_nothing().stdout
    };
    assert_eq!(complete("thindist", "ver").trim(), "verify");
    assert_eq!(complete("thindist what-changed", "--for").trim(), "--format");
    assert_eq!(complete("thindist cache", "cl").trim(), "clear");
    assert!(!complete("thindist", "m").contains("man-pages"), "that is for packagers");
}

/// In a terminal of its own, as zsh completes nowhere else.
#[test]
fn zsh_completes() {
    let sandbox = crate::sandbox(22);
    let file = completions(&sandbox, "zsh");
    sandbox.make_directory(sandbox.path("functions"));
    std::fs::rename(sandbox.path(&file), sandbox.path("functions/_thindist")).unwrap();
    let script = "zmodload zsh/zpty; zpty shell zsh -f -i\n\
        zpty -w shell 'PS1=; fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -d dump; bindkey \"^I\" complete-word; print rea''dy'\n\
        zpty -r shell line '*ready*'\n\
        zpty -n -w shell $'thindist verif\\t'; zpty -r shell line '*verify*'; print -r -- $line; zpty -d shell\n";
    sandbox.write("complete.zsh", script);
    let run = sandbox
        .tool("zsh")
        .args("-f complete.zsh")
        .env("TERM", "xterm")
        .ends_within(std::time::Duration::from_secs(60));
    assert!(run.stdout.contains("verify"), "{run}");
}

#[test]
fn fish_completes() {
    let sandbox = crate::sandbox(22);
    let file = completions(&sandbox, "fish");
    let complete = |line: &str| {
        let script = format!("source {file}; complete --do-complete '{line}'");
        sandbox.tool("fish").args("--no-config -c").arg(script).ok().stdout
    };
    assert!(complete("thindist ver").starts_with("verify\t"));
    assert!(complete("thindist cache cl").starts_with("clear\t"));
    assert!(complete("thindist what-changed --for").contains("--format"));
}

/// The pages as `man` shows them, which says nothing against them.
fn page(sandbox: &Sandbox, page: &Path) -> String {
    let man = sandbox.tool("man").args("--warnings -l").arg(page).env("MANWIDTH", "80").env("MANROFFOPT", "-c");
    man.ok().says_nothing().stdout
}

#[test]
fn man_shows_every_page() {
    let sandbox = crate::sandbox(22);
    thindist(&sandbox, "man-pages man/man1").ok().says_nothing();
    let pages = sandbox.files_below("work/man/man1");
    assert!(pages.len() >= 20, "{pages:?}");
    for path in pages.iter().filter(|path| !path.ends_with("ld.thindist.1")) {
        let text = page(&sandbox, path);
        assert!(text.contains("NAME") && text.contains("SYNOPSIS"), "{}: {text}", path.display());
    }
    let main = page(&sandbox, &sandbox.path("man/man1/thindist.1"));
    for words in ["THINDIST_CACHE_DIR", "THINDIST_LOG", "thindist-verify(1)", "--color"] {
        assert!(main.contains(words), "{words}: {main}");
    }
    let as_linker = sandbox.tool("man").args("-M man ld.thindist").env("MANWIDTH", "80").ok();
    assert!(as_linker.stdout.contains("thindist-ld"), "{as_linker}");
}

#[test]
fn a_trace_says_what_is_done_and_why() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let link = |name: &str| sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o {name}"));
    link("silent.o").ok().says_nothing();
    edit(&sandbox, "leaf.c", "int leaf(int x) { return x * 5; }\n");
    let run = link("traced.o").env("THINDIST_LOG", "debug").ok();
    let run = run.says("way=\"index-only\"").says("why=\"the setting says so\"").says("thin_link").says("final_link");
    let run = run.says("looked up actions=4 here=1 remote=0 missing=3").says("module=\"leaf.o\"").says("from=Executed");
    assert!(!run.stderr.contains(ESCAPE), "{run}");
    link("traced.o").env("THINDIST_LOG", "info").ok().says("the whole link is remembered");
    link("traced.o").env("THINDIST_LOG", "off").ok().says_nothing();
    link("traced.o").env("THINDIST_LOG", "debgu").run().exits(1).says("THINDIST_LOG=debgu: expected").says("`debug`");
    link("traced.o").env("THINDIST_LOG", "debug").unheard().ok();
}
