//! LLVM's own options: which of lld's a separate compilation can be given.

/// `-mllvm` options that lld 19 or 22 registers and clang of the same version does not: clang would reject them. (A
/// test holds the list against both tools.)
#[rustfmt::skip]
pub(super) const LLD_ONLY_MLLVM: &[&str] = &[
    "addrsig", "align-loops", "basic-block-address-map", "basic-block-sections", "call-graph-section",
    "code-model", "data-sections", "debug-entry-values", "debugger-tune", "denormal-fp-math",
    "denormal-fp-math-f32", "disable-tail-calls", "emit-call-site-info", "emulated-tls",
    "enable-approx-func-fp-math", "enable-jmc-instrument", "enable-no-infs-fp-math", "enable-no-nans-fp-math",
    "enable-no-signed-zeros-fp-math", "enable-no-trapping-fp-math", "enable-sign-dependent-rounding-fp-math",
    "enable-tlsdesc", "enable-unsafe-fp-math", "exception-model", "filetype", "float-abi",
    "force-dwarf-frame-section", "fp-contract", "frame-pointer", "function-sections",
    "ignore-xcoff-visibility", "large-data-threshold", "load", "march", "meabi", "mxcoff-roptr",
    "no-integrated-as", "nozero-initialized-in-bss", "partition-static-data-sections", "relocation-model",
    "separate-named-sections", "stack-size-section", "stack-symbol-ordering",
    "stackrealign", "strict-dwarf", "swift-async-fp", "tailcallopt", "thread-model", "tls-size", "trap-func",
    "unique-basic-block-section-names", "unique-section-names", "use-ctors", "vec-extabi", "vector-library",
    "xcoff-traceback-table", "xray-function-index",
];

/// `-mllvm` options that both accept, but that clang overrides with settings of its own.
#[rustfmt::skip]
pub(super) const OVERRIDDEN_MLLVM: &[&str] = &[
    "crel", "dwarf-directory", "dwarf-version", "dwarf64", "emit-compact-unwind-non-canonical", "emit-dwarf-unwind",
    "fatal-warnings", "implicit-mapsyms", "no-deprecated-warn", "no-type-check", "no-warn", "relax-elf-relocations",
    "save-temp-labels", "target-abi", "x86-relax-relocations", "x86-sse2avx",
];

/// An `-mllvm` option by what it would need beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mllvm {
    Plain,
    /// It seems to be so; there is no list of these.
    NamesFile,
}

impl Mllvm {
    pub(crate) fn of(option: &str) -> Self {
        let name = name_of(option);
        let ends = ["-file", "-filename", "-path", "-dir", "-replay"];
        let names_file = option.contains('/') || name == "load" || ends.iter().any(|end| name.ends_with(end));
        if names_file { Self::NamesFile } else { Self::Plain }
    }
}

/// Whether an `-mllvm` option seems to name a file, which nobody but LLVM would know of.
#[must_use]
pub fn names_file(option: &str) -> bool {
    Mllvm::of(option) == Mllvm::NamesFile
}

pub(super) fn name_of(option: &str) -> &str {
    option.trim_start_matches('-').split('=').next().unwrap_or_default()
}

/// The `-mllvm` options that are refused because clang lacks them: for the test that holds them against real tools.
#[must_use]
pub fn lld_only_mllvm() -> &'static [&'static str] {
    LLD_ONLY_MLLVM
}
