//! What a backend takes of the flags with which a file was compiled.
//!
//! The frontend does not run again: what it was told (macros, languages, warnings, instrumentation, attributes of functions) is in
//! the bitcode. What clang heeds when it compiles bitcode is what it makes its code generator and the LTO pipeline of: the
//! rows of `CODE_GENERATION`. The table is total: a flag without a row is not guessed at.
//!
//! A name that ends in `=` or `*` is the beginning of a flag. `-f` rows hold for their `-fno-` forms.

/// What becomes of a recorded flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The backend is given it.
    Taken,
    /// The frontend's: what it does is in the bitcode.
    Frontend,
}

/// Flags whose value is the next word, and what becomes of both.
const SEPARATE: &[(Fate, &[&str])] = &[
    (Fate::Taken, &["-mllvm", "-Xassembler"]),
    (
        Fate::Frontend,
        &[
            "-D",
            "-U",
            "-I",
            "-include",
            "-imacros",
            "-isystem",
            "-iquote",
            "-idirafter",
            "-isysroot",
            "-include-pch",
            "-cxx-isystem",
            "--sysroot",
            "-MF",
            "-MT",
            "-MQ",
            "-MJ",
            "-o",
            "-x",
            "-Xpreprocessor",
            "-L",
            "-dumpdir",
        ],
    ),
];

/// Flags by their beginnings, without `-f` and `-m`.
#[rustfmt::skip]
const OTHERS: &[(Fate, &[&str])] = &[
    (Fate::Taken, &["-O*", "-Wa,*", "-gz", "-gz=", "-glldb", "-gdbx", "-gsce"]),
    (Fate::Frontend, &[
        "-c", "-D*", "-U*", "-I*", "-L*", "-W*", "-w", "-x*", "-o*", "-std=", "--std=", "-ansi", "-pedantic", "-pedantic-errors",
        "-pipe", "-pthread", "-nostdinc", "-nostdinc++", "-nostdlibinc", "-nobuiltininc", "-undef", "-stdlib=", "-isystem*",
        "-iquote*", "-idirafter*", "-include*", "-isysroot*", "--sysroot=", "-M", "-MM", "-MD", "-MMD", "-MP", "-MG", "-MF*", "-MT*",
        "-MQ*", "-P", "-C", "-H", "-Qn", "-Qy", "-Qunused-arguments", "-pg", "-p", "-g", "-g0", "-g1", "-g2", "-g3", "-gmlt",
        "-gline-tables-only", "-gline-directives-only", "-gdwarf", "-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5",
        "-gdwarf32", "-gno-*", "-gcolumn-info", "-gstrict-dwarf", "-ginline-line-tables", "-gsimple-template-names", "-ggdb",
        "-ggdb0", "-ggdb1", "-ggdb2", "-ggdb3", "-gembed-source", "-gkey-instructions", "-grecord-*", "--no-default-config",
        "--param=", "--gcc-toolchain=", "--gcc-install-dir=", "-B*", "-rdynamic",
    ]),
];

/// `-f` flags for the code generator and the LTO pipeline.
#[rustfmt::skip]
const CODE_GENERATION: &[&str] = &[
    "function-sections", "data-sections", "unique-section-names", "unique-basic-block-section-names", "separate-named-sections",
    "basic-block-address-map", "basic-block-sections=all", "basic-block-sections=none", "basic-block-sections=labels",
    "split-machine-functions", "addrsig", "stack-size-section", "use-init-array", "emulated-tls", "integrated-as",
    "unroll-loops", "vectorize", "tree-vectorize", "slp-vectorize", "tree-slp-vectorize", "loop-interchange", "align-loops=",
    "fast-math", "finite-math-only", "signed-zeros", "associative-math", "reciprocal-math", "math-errno", "trapping-math",
    "rounding-math", "approx-func", "unsafe-math-optimizations", "honor-infinities", "honor-nans", "fp-contract=", "fp-model=",
    "denormal-fp-math=", "denormal-fp-math-f32=", "veclib=",
    "pic", "PIC", "pie", "PIE", "ropi", "rwpi", "freestanding", "jump-tables", "force-dwarf-frame", "sample-profile-use-profi",
];

/// `-f` flags that only the frontend heeds, or the passes in front of the thin link, or that end as attributes and module flags.
#[rustfmt::skip]
const FRONTEND: &[&str] = &[
    // Files and macros
    "macro-prefix-map=", "file-prefix-map=", "debug-prefix-map=", "coverage-prefix-map=", "debug-compilation-dir=",
    "file-compilation-dir=", "working-directory=", "canonical-system-headers", "use-line-directives", "pch-*",
    // Language
    "shortwchar", "short-wchar", "short-enums", "signed-char", "unsigned-char", "common", "ms-extensions", "ms-compatibility",
    "gnu-keywords", "gnu89-inline", "asm", "builtin", "builtin-*", "strict-aliasing", "strict-aliasing=", "strict-overflow",
    "strict-overflow=", "strict-return", "strict-enums", "strict-vtable-pointers", "strict-flex-arrays=", "wrapv", "wrapv-pointer",
    "trapv", "merge-all-constants", "delete-null-pointer-checks", "lax-vector-conversions", "lax-vector-conversions=",
    "constexpr-*", "template-depth=", "bracket-depth=", "char8_t", "coroutines", "concepts", "modules*", "blocks", "rtti", "rtti-data",
    "exceptions", "cxx-exceptions", "c++-*", "threadsafe-statics", "access-control", "elide-constructors", "sized-deallocation",
    "aligned-allocation", "assume-sane-operator-new", "operator-names", "permissive", "for-scope", "visibility=",
    "visibility-*", "semantic-interposition", "plt", "direct-access-external-data", "tls-model=", "use-cxa-atexit",
    "register-global-dtors-with-atexit", "cx-*", "complete-member-pointers", "max-type-align=", "pack-struct", "pack-struct=",
    "altivec", "declspec", "dollars-in-identifiers", "digraphs", "trigraphs", "unit-at-a-time", "defer-ts", "hosted",
    // Attributes and module flags
    "stack-protector", "stack-protector-*", "stack-clash-protection", "stack-check", "omit-frame-pointer", "frame-pointer*",
    "cf-protection", "cf-protection=", "asynchronous-unwind-tables", "unwind-tables", "align-functions", "align-functions=",
    "align-labels", "align-labels=", "align-jumps", "align-jumps=", "align-loops", "trivial-auto-var-init=", "trivial-auto-var-init-*",
    "zero-call-used-regs=", "patchable-function-entry=", "optimize-sibling-calls", "instrument-functions", "instrument-functions-*",
    "escaping-block-tail-calls", "split-stack", "function-return=", "min-function-alignment=", "keep-*", "convergent-functions",
    "ident", "verbose-asm", "preferred-stack-boundary=", "conserve-stack", "var-tracking*", "gcse", "reorder-blocks",
    // In front of the thin link
    "lto", "lto=", "lto-jobs=", "thinlto*", "split-lto-unit", "whole-program-vtables", "virtual-function-elimination",
    "unified-lto", "fat-lto-objects", "force-emit-vtables", "inline", "inline-functions", "inline-hint-functions", "inline-max-stacksize=",
    "sanitize=", "sanitize-*", "debug-info-for-profiling", "pseudo-probe-for-profiling", "unique-internal-linkage-names",
    "profile-sample-accurate", "profile-arcs", "test-coverage", "coverage-mapping", "profile-instr-generate",
    "debug-types-section", "debug-macro", "debug-default-version=", "debug-ranges-base-address", "standalone-debug", "limit-debug-info",
    "eliminate-unused-debug-types", "eliminate-unused-debug-symbols", "discard-value-names", "temp-file", "ctor-dtor-return-this",
    // Messages
    "color-diagnostics", "diagnostics-*", "caret-diagnostics", "caret-diagnostics-max-lines=", "show-*", "error-limit=",
    "macro-backtrace-limit=", "template-backtrace-limit=", "spell-checking", "spell-checking-limit=", "message-length=",
    "ansi-escape-codes", "fixit*", "elide-type", "time-report", "stack-usage", "crash-diagnostics*", "proc-stat-report*",
];

/// What becomes of a flag whose value is not the next word; `None`: no row.
pub(super) fn fate(word: &str) -> Option<Fate> {
    if let Some(flag) = word.strip_prefix("-f") {
        let positive = flag.strip_prefix("no-").unwrap_or(flag);
        let is_in = |rows: &[&str]| rows.iter().any(|row| matches(row, positive) || matches(row, flag));
        return match () {
            () if is_in(CODE_GENERATION) => Some(Fate::Taken),
            () if is_in(FRONTEND) => Some(Fate::Frontend),
            () => None,
        };
    }
    // Targets' own: of the processor, the ABI, registers. clang refuses those that it does not know.
    if word.starts_with("-m") {
        return Some(Fate::Taken);
    }
    find(OTHERS, |row| matches(row, word))
}

/// What becomes of a flag and the word after it, if that is its value.
pub(super) fn fate_with_value(word: &str) -> Option<Fate> {
    find(SEPARATE, |row| row == word)
}

fn find(groups: &[(Fate, &[&str])], fits: impl Fn(&str) -> bool) -> Option<Fate> {
    groups.iter().find(|(_, rows)| rows.iter().any(|row| fits(row))).map(|(fate, _)| *fate)
}

fn matches(row: &str, word: &str) -> bool {
    match row.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None if row.ends_with('=') => word.starts_with(row),
        None => row == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let check = |word, fate: Option<Fate>| assert_eq!(super::fate(word), fate, "{word}");
        check("-O1", Some(Fate::Taken));
        check("-fno-jump-tables", Some(Fate::Taken));
        check("-fno-PIE", Some(Fate::Taken));
        check("-mcmodel=kernel", Some(Fate::Taken));
        check("-falign-loops=1", Some(Fate::Taken));
        check("-falign-functions=16", Some(Fate::Frontend));
        check("-fno-builtin-wcslen", Some(Fate::Frontend));
        check("-Dpr_fmt(fmt)=x", Some(Fate::Frontend));
        check("-Wp,-MMD,x.d", Some(Fate::Frontend));
        check("-Wa,-march=armv8.5-a", Some(Fate::Taken));
        check("-fno-such-flag", None);
        check("-gsplit-dwarf", None);
        check("-fbasic-block-sections=list=x", None);
        assert_eq!(fate_with_value("-mllvm"), Some(Fate::Taken));
        assert_eq!(fate_with_value("-include"), Some(Fate::Frontend));
        assert_eq!(fate_with_value("-c"), None);
    }

    /// What has two rows would depend on their order.
    #[test]
    fn no_flag_has_two_rows() {
        for row in CODE_GENERATION {
            assert!(!FRONTEND.iter().any(|other| matches(other, row)), "-f{row} is in both tables");
        }
    }
}
