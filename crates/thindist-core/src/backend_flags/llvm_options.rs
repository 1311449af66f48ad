//! LLVM's own options: which of lld's a separate compilation can take.

/// `-mllvm` options that lld 19 or 22 registers and clang of the same version does not: clang would reject them. (A
/// test holds these and those of `CODE_GENERATOR` against both tools.)
#[rustfmt::skip]
pub(super) const LLD_ONLY_MLLVM: &[&str] = &[
    "basic-block-sections", "call-graph-section", "debug-entry-values", "denormal-fp-math", "denormal-fp-math-f32",
    "disable-tail-calls", "emit-call-site-info", "enable-approx-func-fp-math", "enable-jmc-instrument",
    "enable-no-infs-fp-math", "enable-no-nans-fp-math", "enable-no-signed-zeros-fp-math",
    "enable-no-trapping-fp-math", "enable-sign-dependent-rounding-fp-math", "enable-tlsdesc", "enable-unsafe-fp-math",
    "exception-model", "filetype", "float-abi", "fp-contract", "frame-pointer", "ignore-xcoff-visibility",
    "large-data-threshold", "load", "march", "meabi", "mxcoff-roptr", "no-integrated-as", "nozero-initialized-in-bss",
    "partition-static-data-sections", "relocation-model", "separate-named-sections", "stack-symbol-ordering", "stackrealign", "strict-dwarf", "swift-async-fp", "tailcallopt",
    "thread-model", "tls-size", "trap-func", "vec-extabi", "vector-library", "xcoff-traceback-table",
];

/// `-mllvm` options that both accept, but that clang overrides with settings of its own.
#[rustfmt::skip]
pub(super) const OVERRIDDEN_MLLVM: &[&str] = &[
    "crel", "dwarf-directory", "dwarf-version", "dwarf64", "emit-compact-unwind-non-canonical", "emit-dwarf-unwind",
    "fatal-warnings", "implicit-mapsyms", "no-deprecated-warn", "no-type-check", "no-warn", "relax-elf-relocations",
    "save-temp-labels", "target-abi", "x86-relax-relocations", "x86-sse2avx",
];

/// An option of lld's code generator (LLVM's `CommandFlags`) as `clang -cc1` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsCc1 {
    /// lld sets it itself, whatever this says.
    Inert,
    /// A word where it is on.
    On(&'static str),
    /// A word where it is off.
    Off(&'static str),
    /// This and the value.
    Value(&'static str),
}

/// Those that have been held against lld. clang's driver hands some of these to every link.
#[rustfmt::skip]
const CODE_GENERATOR: &[(&str, AsCc1)] = &[
    ("addrsig", AsCc1::Inert),
    ("align-loops", AsCc1::Value("-falign-loops=")),
    ("basic-block-address-map", AsCc1::Inert),
    ("code-model", AsCc1::Value("-mcmodel=")),
    ("data-sections", AsCc1::Inert),
    ("debugger-tune", AsCc1::Value("-debugger-tuning=")),
    ("emulated-tls", AsCc1::On("-femulated-tls")),
    ("force-dwarf-frame-section", AsCc1::On("-fforce-dwarf-frame")),
    ("function-sections", AsCc1::Inert),
    ("split-machine-functions", AsCc1::On("-fsplit-machine-functions")),
    ("stack-size-section", AsCc1::On("-fstack-size-section")),
    ("unique-basic-block-section-names", AsCc1::Inert),
    ("unique-section-names", AsCc1::Off("-fno-unique-section-names")),
    ("use-ctors", AsCc1::On("-fno-use-init-array")),
    ("xray-function-index", AsCc1::Off("-fno-xray-function-index")),
];

pub(super) fn as_cc1(name: &str) -> Option<AsCc1> {
    CODE_GENERATOR.iter().find(|(known, _)| *known == name).map(|(_, how)| *how)
}

/// The value of one that is on or off.
pub(super) fn switch(option: &str) -> Option<bool> {
    match option.split_once('=').map_or("true", |(_, value)| value).to_ascii_lowercase().as_str() {
        "" | "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

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

/// The `-mllvm` options that are refused because clang lacks them, and those that it has under other names: for the test that holds
/// them against real tools.
pub fn lld_only_mllvm() -> impl Iterator<Item = &'static str> {
    LLD_ONLY_MLLVM.iter().copied().chain(CODE_GENERATOR.iter().map(|(name, _)| *name))
}
