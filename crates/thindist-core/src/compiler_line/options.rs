//! clang's options on the line of a backend compilation: what each means if the input is bitcode.
//!
//! A backend neither preprocesses nor parses, so what concerns only that is left out of an action, and its paths with it. What
//! concerns code generation is handed on as it stands. An option without a row, or one whose value could name a file, is
//! not guessed at: the compiler gets the line as it is.

/// What an option means to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Concerns the code, or the messages: handed on as it stands.
    Kept,
    /// Concerns preprocessing or parsing only; clang takes it without a word.
    Ignored,
    /// The same, but clang warns that it is not used.
    Unused,
    /// Hides that warning, or shows it again.
    HidesUnused(bool),
    /// `-c`
    Compile,
    /// `-x`
    Language,
    /// `-o`
    Output,
    /// `-fthinlto-index=`
    Index,
    /// `-mllvm`
    Llvm,
}

/// Where an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// There is none, or it is part of the name.
    Whole,
    /// It follows the name at once.
    Joined,
    /// It is the next word.
    Separate,
    /// Either of the two.
    JoinedOrSeparate,
}

struct Row {
    shape: Shape,
    meaning: Meaning,
    names: &'static [&'static str],
}

const fn row(shape: Shape, meaning: Meaning, names: &'static [&'static str]) -> Row {
    Row { shape, meaning, names }
}

use Meaning::{HidesUnused, Ignored, Index, Kept, Language, Llvm, Output, Unused};
use Shape::{Joined, JoinedOrSeparate, Separate, Whole};

/// The first row that fits counts.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(Whole, Meaning::Compile, &["-c"]),
    row(Separate, Language, &["-x"]),
    row(Separate, Output, &["-o"]),
    row(Joined, Index, &["-fthinlto-index="]),
    row(Separate, Llvm, &["-mllvm"]),

    row(Whole, HidesUnused(true), &["-Qunused-arguments", "-Wno-unused-command-line-argument"]),
    row(Whole, HidesUnused(false), &["-Wunused-command-line-argument", "-Werror=unused-command-line-argument"]),
    row(Joined, Unused, &["-Wp,-MD,", "-Wp,-MMD,"]),
    row(Joined, Ignored, &["-Wp,-D", "-Wp,-U"]),

    row(JoinedOrSeparate, Ignored, &["-D", "-U"]),
    row(JoinedOrSeparate, Unused, &["-I"]),
    // Joined to a value they would take in other options, such as `-include-pch`.
    row(Separate, Unused, &["-isystem", "-iquote", "-idirafter", "-include", "-imacros", "-MF", "-MT", "-MQ"]),
    row(Whole, Unused, &["-MD", "-MMD", "-MP", "-MG"]),
    row(Joined, Unused, &["-fmacro-prefix-map=", "-stdlib="]),

    row(Joined, Kept, &["--target=", "-std=", "-O"]),
    row(Separate, Kept, &["-target"]),
    row(Whole, Kept, &[
        "-w", "-pipe", "-nostdinc", "-nostdlibinc", "-nostdinc++", "-ansi", "-pedantic", "-pedantic-errors", "-pthread",
        "-undef", "-no-canonical-prefixes",
        "-g", "-g0", "-g1", "-g2", "-g3", "-ggdb", "-ggdb0", "-ggdb1", "-ggdb2", "-ggdb3", "-gdwarf", "-gdwarf-3",
        "-gdwarf-4", "-gdwarf-5", "-gline-tables-only", "-gno-column-info", "-gcolumn-info", "-gno-inline-line-tables",
        "-gno-strict-dwarf", "-gstrict-dwarf", "-gz", "-gz=none", "-gz=zlib", "-gz=zstd",
    ]),
];

/// Options of the form `-fNAME`, `-fno-NAME` or `-fNAME=VALUE` that name no file and write none.
#[rustfmt::skip]
const FEATURES: &[&str] = &[
    "PIC", "PIE", "addrsig", "align-functions", "align-loops", "aligned-allocation", "associative-math",
    "asynchronous-unwind-tables", "builtin", "caret-diagnostics", "cf-protection", "char8_t", "color-diagnostics",
    "common", "cxx-exceptions", "data-sections", "debug-info-for-profiling", "debug-types-section",
    "delete-null-pointer-checks", "diagnostics-color", "diagnostics-show-option",
    "direct-access-external-data", "exceptions", "experimental-late-parse-attributes", "fast-math",
    "finite-loops", "finite-math-only", "force-emit-vtables", "fp-contract", "fp-eval-method", "fp-exception-behavior", "fp-model",
    "freestanding", "function-sections", "gnu89-inline", "honor-infinities", "honor-nans", "inline",
    "inline-functions", "inline-max-stacksize", "jump-tables", "keep-static-consts", "lto", "macro-backtrace-limit",
    "math-errno", "merge-all-constants", "message-length", "ms-extensions", "omit-frame-pointer",
    "optimize-sibling-calls", "patchable-function-entry", "pic", "pie", "plt", "pseudo-probe-for-profiling",
    "reciprocal-math", "rounding-math", "rtti", "semantic-interposition",
    "short-enums", "short-wchar", "signed-char", "signed-zeros", "sized-deallocation", "slp-vectorize",
    "split-lto-unit", "split-machine-functions", "stack-check", "stack-clash-protection", "stack-protector",
    "stack-protector-all", "stack-protector-strong", "strict-aliasing", "strict-enums", "strict-flex-arrays",
    "strict-overflow", "strict-return", "strict-vtable-pointers", "template-backtrace-limit", "threadsafe-statics",
    "tls-model", "trapping-math", "trapv", "tree-slp-vectorize", "tree-vectorize", "trivial-auto-var-init",
    "trivial-auto-var-init-stop-after", "unified-lto", "unique-section-names", "unroll-loops", "unsigned-char",
    "unwind-tables", "use-init-array", "vectorize", "virtual-function-elimination", "visibility",
    "visibility-inlines-hidden", "whole-program-vtables", "wrapv", "wrapv-pointer", "zero-call-used-regs",
    "zero-initialized-in-bss",
];

/// Options that begin with `-f` and stand here whole: with another value, or the opposite, they mean files.
const FEATURES_AS_THEY_ARE: &[&str] = &[
    "-fintegrated-as",
    "-fsanitize=kcfi",
    "-fsanitize=shadow-call-stack",
    "-fbasic-block-sections=all",
    "-fbasic-block-sections=none",
];

/// An option, and whether its value is the next word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) meaning: Meaning,
    /// The value that is joined to the name; `None` if the next word is it, or there is none.
    pub(super) joined: Option<&'a str>,
    pub(super) takes_next: bool,
}

/// Finds out what a word that begins with a dash means.
pub(super) fn find(word: &str) -> Option<Found<'_>> {
    ROWS.iter().find_map(|row| row.names.iter().find_map(|name| fit(row, name, word))).or_else(|| by_family(word))
}

fn fit<'a>(row: &Row, name: &str, word: &'a str) -> Option<Found<'a>> {
    let value = word.strip_prefix(name)?;
    let found = |joined, takes_next| Some(Found { meaning: row.meaning, joined, takes_next });
    match (row.shape, value.is_empty()) {
        (Whole, true) => found(None, false),
        (Separate | JoinedOrSeparate, true) => found(None, true),
        (Joined, _) | (JoinedOrSeparate, false) => found(Some(value), false),
        (Whole | Separate, false) => None,
    }
}

/// Warnings, options of the machine and those of [`FEATURES`].
fn by_family(word: &str) -> Option<Found<'_>> {
    let kept = if let Some(feature) = word.strip_prefix("-f") {
        FEATURES_AS_THEY_ARE.contains(&word) || is_feature(feature)
    } else if let Some(warning) = word.strip_prefix("-W") {
        // `-Wa,`, `-Wl,` and `-Wp,` hand their value to another program.
        !warning.contains(',')
    } else {
        // `native` is another processor on another host.
        word.strip_prefix("-m").is_some_and(|machine| !machine.ends_with("=native"))
    };
    kept.then_some(Found { meaning: Kept, joined: None, takes_next: false })
}

fn is_feature(feature: &str) -> bool {
    let name = feature.split_once('=').map_or(feature, |(name, _)| name);
    let positive = name.strip_prefix("no-").unwrap_or(name);
    // `-fno-builtin-memcpy`
    name.starts_with("no-builtin-") || FEATURES.contains(&name) || FEATURES.contains(&positive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, meaning: Meaning, joined: Option<&str>, takes_next: bool) {
        let found = find(word).unwrap_or_else(|| panic!("{word} is unknown"));
        assert_eq!((found.meaning, found.joined, found.takes_next), (meaning, joined, takes_next), "{word}");
    }

    #[test]
    fn values_are_where_clang_has_them() {
        check("-o", Output, None, true);
        check("-include", Unused, None, true);
        check("-I.", Unused, Some("."), false);
        check("-DX=\"a b\"", Ignored, Some("X=\"a b\""), false);
        check("-Wp,-MMD,x.d", Unused, Some("x.d"), false);
        check("-fmacro-prefix-map=/a/=", Unused, Some("/a/="), false);
        check("-mllvm", Llvm, None, true);
    }

    #[test]
    fn families_are_handed_on() {
        for word in
            ["-Wframe-larger-than=1280", "-Wno-gnu", "-mno-sse", "-mcmodel=kernel", "-fno-builtin-wcslen", "-Os"]
        {
            check(word, Kept, find(word).and_then(|found| found.joined), false);
        }
        check("-fno-PIE", Kept, None, false);
        check("-fstrict-flex-arrays=3", Kept, None, false);
    }

    #[test]
    fn what_means_files_or_this_host_has_no_row() {
        for word in [
            "-fprofile-sample-use=x",
            "-fplugin=x.so",
            "-fbasic-block-sections=list=x",
            "-fno-integrated-as",
            "-march=native",
            "-Wa,-I.",
            "-Wp,-v",
            "-gsplit-dwarf",
            "-save-temps",
            "-E",
            "-S",
            "-v",
            "-###",
            "-Xclang",
            "-fsanitize=address",
            "-fstack-usage",
            "-ftime-trace",
            "@file",
            "-fsave-optimization-record",
            "-B/usr/bin",
            "--config=x",
            "-oa.o",
            "-include-pch",
            "-isystem-after",
            "-fbuiltin-module-map",
        ] {
            assert!(find(word).is_none(), "{word}");
        }
    }
}
