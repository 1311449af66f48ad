//! What a backend compilation is told: lld's LTO options in clang's spelling, and what the bitcode asks for.
//!
//! In-process, lld makes one LTO configuration for the whole link and LLVM completes it from each module's flags.
//! clang completes it from its driver's defaults instead. So each default that differs is stated here:
//! - the optimisation level is lld's, never the one that the file was compiled with;
//! - position independence comes from the kind of output, or with `-r` from the module's "PIC Level" flag;
//! - a function without `target-cpu` is compiled for LLVM's generic CPU, where clang would put `x86-64`;
//! - the code model, the ABI and the large-data threshold clang leaves to the module's flags, as lld does.

use crate::action::{
    BLOCK_SECTIONS_NAME, CS_PROFILE_NAME, INDEX_NAME, LinkFile, MODULE_NAME, NATIVE_OBJECT_NAME, SAMPLE_PROFILE_NAME,
};
use crate::bitcode::ModuleFacts;
use crate::link_line::options::{Carried, Lto, Role};
use crate::link_line::{LinkLine, OutputKind, Refusal};
use crate::recorded::RecordedFlags;

/// What the link line says to every backend of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFlags {
    output_kind: OutputKind,
    opt_level: u8,
    cpu: String,
    features: Vec<String>,
    mllvm: Vec<String>,
    others: Vec<String>,
    /// Words in front of all others.
    front: Vec<String>,
    files: Vec<LinkFile>,
}

/// `-mllvm` options that lld 19 or 22 registers and clang of the same version does not: clang would reject them. (A
/// test holds the list against both tools.)
#[rustfmt::skip]
const LLD_ONLY_MLLVM: &[&str] = &[
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
const OVERRIDDEN_MLLVM: &[&str] = &[
    "crel", "dwarf-directory", "dwarf-version", "dwarf64", "emit-compact-unwind-non-canonical", "emit-dwarf-unwind",
    "fatal-warnings", "implicit-mapsyms", "no-deprecated-warn", "no-type-check", "no-warn", "relax-elf-relocations",
    "save-temp-labels", "target-abi", "x86-relax-relocations", "x86-sse2avx",
];

/// How clang's options begin that write a file beside the object, or another one than an object.
#[rustfmt::skip]
const WRITES_A_FILE: &[&str] = &[
    "-E", "-M", "-S", "-emit-", "-foptimization-record", "-fproc-stat-report", "-fsave-optimization-record", "-fsyntax-only",
    "-ftime-trace", "-gsplit-dwarf", "-o", "-save-", "--save-", "@",
];
/// Past the driver: that of clang 22 would add an inference of counts that lld does not ask for.
const SAMPLE_PROFILE: &str = "-Xclang=-fprofile-sample-use=";

/// An `-mllvm` option by what it would need beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mllvm {
    Plain,
    /// It seems to be so; there is no list of these.
    NamesFile,
}

impl Mllvm {
    pub(crate) fn of(option: &str) -> Self {
        let name = mllvm_name(option);
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

fn mllvm_name(option: &str) -> &str {
    option.trim_start_matches('-').split('=').next().unwrap_or_default()
}

impl LinkFlags {
    /// Reads the flags off the line.
    ///
    /// # Errors
    /// An LTO option, or its value, has no equivalent in a separate compilation.
    pub fn of(line: &LinkLine) -> Result<Self, Refusal> {
        if let Some(refusal) = line.refusal() {
            return Err(refusal);
        }
        let mut flags = Self {
            output_kind: line.output_kind(),
            opt_level: 2,
            cpu: String::new(),
            features: Vec::new(),
            mllvm: Vec::new(),
            others: Vec::new(),
            front: Vec::new(),
            files: Vec::new(),
        };
        let mut codegen_level = None;
        for (spec, value) in line.options() {
            let Role::Lto(Lto::Carried(how)) = spec.role else { continue };
            let refuse =
                |reason: &str| Refusal { option: format!("--{}{value}", spec.name), reason: reason.to_owned() };
            match how {
                Carried::OptLevel => {
                    flags.opt_level = level(value).ok_or_else(|| refuse("it is no level from 0 to 3"))?
                }
                Carried::CodegenLevel => codegen_level = Some((level(value), refuse("it differs from --lto-O"))),
                Carried::Mllvm => flags.add_mllvm(value, value)?,
                Carried::PluginMllvm => flags.add_mllvm(&format!("-{value}"), value)?,
                Carried::Cpu => flags.set_cpu(value)?,
                Carried::Partitions if value == "1" => {}
                Carried::Partitions => return Err(refuse("regular LTO would make several objects")),
                Carried::Kind if value == "thin" => {}
                Carried::Kind => return Err(refuse("only ThinLTO has backends to separate")),
                Carried::BasicBlockSections => flags.set_block_sections(value),
                Carried::SampleProfile => flags.add_file(SAMPLE_PROFILE, SAMPLE_PROFILE_NAME, value),
                Carried::CsProfile => flags.add_file("-fprofile-use=", CS_PROFILE_NAME, value),
                Carried::BasicBlockAddressMap => flags.switch("basic-block-address-map", spec.negated),
                Carried::UniqueBasicBlockSectionNames => flags.switch("unique-basic-block-section-names", spec.negated),
            }
        }
        flags.check_codegen_level(codegen_level)?;
        flags.check_discriminators()?;
        Ok(flags)
    }

    /// The optimisation level.
    #[must_use]
    pub fn opt_level(&self) -> u8 {
        self.opt_level
    }

    /// The compiler is a tool of this name in a program that is several.
    pub fn put_in_front(&mut self, words: &[String]) {
        self.front = words.to_vec();
    }

    /// Adds options in clang's own spelling, which may name no file but `declared` ones.
    ///
    /// # Errors
    /// One names another file, or asks for one to be written.
    pub fn add_compiler_options(&mut self, words: &[String], declared: &[String]) -> Result<(), Refusal> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let refuse = |reason: &str| Err(Refusal { option: word.clone(), reason: reason.to_owned() });
            let joined = word.strip_prefix("-mllvm=");
            if let Some(option) =
                joined.or_else(|| (word == "-mllvm").then(|| words.next()).flatten().map(String::as_str))
            {
                self.add_mllvm(option, option)?;
                continue;
            }
            if WRITES_A_FILE.iter().any(|start| word.starts_with(start)) {
                return refuse("it asks for a file that no action makes");
            }
            if word.contains('/') && !declared.iter().any(|file| word.ends_with(file.as_str())) {
                return refuse("it seems to name a file, which would be an undeclared input of every backend");
            }
            self.others.push(word.clone());
        }
        Ok(())
    }

    /// What lld does not know for a word is the name of a file; so it is here.
    fn set_block_sections(&mut self, value: &str) {
        match value {
            "all" | "none" | "labels" => {
                self.drop_file("-fbasic-block-sections=", BLOCK_SECTIONS_NAME);
                self.others.push(format!("-fbasic-block-sections={value}"));
            }
            file => self.add_file("-fbasic-block-sections=list=", BLOCK_SECTIONS_NAME, file),
        }
    }

    /// The last of several files counts; an empty name stands for none.
    fn add_file(&mut self, option: &str, name: &'static str, path: &str) {
        self.drop_file(option, name);
        if !path.is_empty() {
            self.others.push(format!("{option}{name}"));
            self.files.push(LinkFile { name, path: path.to_owned() });
        }
    }

    fn drop_file(&mut self, option: &str, name: &str) {
        self.files.retain(|file| file.name != name);
        self.others.retain(|word| !word.starts_with(option.split_inclusive('=').next().unwrap_or(option)));
    }

    fn switch(&mut self, name: &str, negated: bool) {
        self.others.push(format!("-f{}{name}", if negated { "no-" } else { "" }));
    }

    /// lld keeps the level of code generation apart from that of optimisation; clang has one for both.
    fn check_codegen_level(&self, explicit: Option<(Option<u8>, Refusal)>) -> Result<(), Refusal> {
        match explicit {
            Some((Some(level), _)) if level == self.opt_level => Ok(()),
            Some((_, refusal)) => Err(refusal),
            None if self.opt_level >= 2 => Ok(()),
            None => Err(Refusal {
                option: format!("--lto-O{}", self.opt_level),
                reason: format!(
                    "lld generates code at level 2 under it, clang cannot; add --lto-CGO{} to have both",
                    self.opt_level
                ),
            }),
        }
    }

    /// Samples with the first encoding of flow-sensitive discriminators: lld 22 and clang 22 write other line tables (seen). The
    /// kernel asks for the second one.
    fn check_discriminators(&self) -> Result<(), Refusal> {
        let is_on = |name: &str| {
            let value = self.mllvm.iter().rev().find_map(|option| option.trim_start_matches('-').strip_prefix(name));
            value.is_some_and(|value| matches!(value, "" | "=1" | "=true" | "=TRUE" | "=True"))
        };
        let has_samples = self.files.iter().any(|file| file.name == SAMPLE_PROFILE_NAME);
        if !has_samples || !is_on("enable-fs-discriminator") || is_on("improved-fs-discriminator") {
            return Ok(());
        }
        let reason = "with samples clang writes other line tables than lld; add -mllvm -improved-fs-discriminator=true";
        Err(Refusal { option: "-mllvm -enable-fs-discriminator=true".to_owned(), reason: reason.to_owned() })
    }

    fn set_cpu(&mut self, cpu: &str) -> Result<(), Refusal> {
        if cpu == "native" {
            let reason = "the machine that runs a backend is not always this one".to_owned();
            return Err(Refusal { option: "-plugin-opt=mcpu=native".to_owned(), reason });
        }
        cpu.clone_into(&mut self.cpu);
        Ok(())
    }

    fn add_mllvm(&mut self, option: &str, shown: &str) -> Result<(), Refusal> {
        let name = mllvm_name(option);
        let refuse = |reason: &str| Err(Refusal { option: format!("-mllvm {shown}"), reason: reason.to_owned() });
        if let Some(cpu) = option.trim_start_matches('-').strip_prefix("mcpu=") {
            return self.set_cpu(cpu);
        }
        if let Some(features) = option.trim_start_matches('-').strip_prefix("mattr=") {
            self.features.extend(features.split(',').map(str::to_owned));
            return Ok(());
        }
        if name == "split-machine-functions" {
            return self.split_machine_functions(option, shown);
        }
        if LLD_ONLY_MLLVM.contains(&name) {
            return refuse("clang has no such -mllvm option");
        }
        if OVERRIDDEN_MLLVM.contains(&name) {
            return refuse("clang overrides it with a setting of its own");
        }
        if name.starts_with("codegen-data") {
            return refuse("it is done by the in-process LTO driver");
        }
        match Mllvm::of(option) {
            Mllvm::NamesFile => refuse("it seems to name a file, which would be an undeclared input of every backend"),
            Mllvm::Plain => {
                self.mllvm.push(option.to_owned());
                Ok(())
            }
        }
    }

    /// AutoFDO's kernels ask for it; clang has it as an option of its own.
    fn split_machine_functions(&mut self, option: &str, shown: &str) -> Result<(), Refusal> {
        let flag = match option.split_once('=').map_or("true", |(_, value)| value).to_ascii_lowercase().as_str() {
            "" | "1" | "true" => "-fsplit-machine-functions",
            "0" | "false" => "-fno-split-machine-functions",
            _ => {
                let reason = "it is neither true nor false".to_owned();
                return Err(Refusal { option: format!("-mllvm {shown}"), reason });
            }
        };
        self.others.push(flag.to_owned());
        Ok(())
    }

    /// Files that every backend of the link reads.
    #[must_use]
    pub fn files(&self) -> &[LinkFile] {
        &self.files
    }

    /// The arguments of the backend of a module with these facts, after the compiler's name; with the flags that it was
    /// compiled with, if these are to count.
    #[must_use]
    pub fn arguments(&self, module: &ModuleFacts, recorded: Option<&RecordedFlags>) -> Vec<String> {
        let mut arguments = self.front.clone();
        arguments.extend([
            // A clang configuration file of the user must not reach a backend.
            "--no-default-config".to_owned(),
            format!("--target={}", module.triple),
            format!("-O{}", self.opt_level),
        ]);
        let mut add = |flags: &[&str]| arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        if self.opt_level == 1 && recorded.is_none() {
            // clang unrolls from -O2 on, lld's pipeline at every level.
            add(&["-funroll-loops"]);
        }
        add(&["-ffunction-sections", "-fdata-sections", "-faddrsig"]);
        add(&[if self.is_pic(module) { "-fPIC" } else { "-fno-pic" }]);
        arguments.extend(riscv(module));
        let mut add = |flags: &[&str]| arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        // Without a word of the line, lld's generic processor; with recorded flags that of their own or clang's.
        if recorded.is_none_or(|recorded| !self.cpu.is_empty() && !recorded.names_processor()) {
            add(&["-Xclang", "-target-cpu", "-Xclang", &self.cpu]);
        }
        for feature in &self.features {
            add(&["-Xclang", "-target-feature", "-Xclang", feature]);
        }
        let own: &[String] = recorded.map_or(&[], |recorded| &recorded.mllvm);
        for option in without_repeated(&self.mllvm, own) {
            add(&["-mllvm", option]);
        }
        arguments.extend(self.others.iter().cloned());
        if let Some(recorded) = recorded {
            arguments.extend(recorded.words.iter().cloned());
            // Much of what a compilation of a source heeds one of bitcode does not.
            arguments.push("-Wno-unused-command-line-argument".to_owned());
        }
        arguments.extend(
            ["-c", "-x", "ir", MODULE_NAME, &format!("-fthinlto-index={INDEX_NAME}"), "-o", NATIVE_OBJECT_NAME]
                .map(str::to_owned),
        );
        arguments
    }

    /// The options that every backend of the link shares, for reports.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut words = vec![format!("-O{}", self.opt_level), format!("{:?}", self.output_kind)];
        words.extend((!self.cpu.is_empty()).then(|| format!("CPU {}", self.cpu)));
        words.extend(self.features.iter().map(|feature| format!("feature {feature}")));
        words.extend(self.mllvm.iter().map(|option| format!("-mllvm {option}")));
        words.extend(self.others.iter().cloned());
        words.join(" ")
    }

    fn is_pic(&self, module: &ModuleFacts) -> bool {
        match self.output_kind {
            OutputKind::Relocatable => module.pic_level.is_some_and(|level| level > 0),
            OutputKind::PositionIndependent => true,
            OutputKind::Static => false,
        }
    }
}

/// RISC-V: clang's driver adds features and an ABI, where lld has none and the module's own: the base set of instructions, and
/// the ABI of the module's flags.
fn riscv(module: &ModuleFacts) -> Vec<String> {
    let base = match module.triple.split('-').next() {
        Some("riscv64") => "-march=rv64i",
        Some("riscv32") => "-march=rv32i",
        _ => return Vec::new(),
    };
    let abi = module.target_abi.as_ref().map(|abi| format!("-mabi={abi}"));
    [base.to_owned()].into_iter().chain(abi).collect()
}

/// The link's options, then a file's own. An option of LLVM may be given once: of several, the last one counts.
fn without_repeated<'a>(link: &'a [String], own: &'a [String]) -> impl Iterator<Item = &'a str> {
    let is_later = |rest: &[String], option: &str| rest.iter().any(|later| mllvm_name(later) == mllvm_name(option));
    let link = link.iter().filter(move |option| !is_later(own, option));
    let own = own
        .iter()
        .enumerate()
        .filter(move |(at, option)| !own.get(at + 1..).is_some_and(|rest| is_later(rest, option)));
    link.chain(own.map(|(_, option)| option)).map(String::as_str)
}

fn level(value: &str) -> Option<u8> {
    value.parse().ok().filter(|level| *level <= 3)
}

/// Whether `verify` has found native objects for this target equal to in-process ones. Elsewhere clang's driver may add
/// features or an ABI of its own (seen on arm).
#[must_use]
pub fn is_proven(triple: &str) -> bool {
    let mut parts = triple.split('-');
    let is_known = matches!(parts.next(), Some("x86_64" | "aarch64" | "riscv64"));
    is_known
        && !parts.clone().any(has_other_defaults)
        && !(parts.clone().count() < 3 && parts.next_back() == Some("elf"))
}

/// Systems for which clang's driver has emulated TLS or position independence where lld has not. (Of a triple in three parts
/// that ends in `elf` it makes another one, and warns.)
fn has_other_defaults(part: &str) -> bool {
    ["android", "ohos", "openbsd", "ps4", "ps5"].iter().any(|name| part.starts_with(name))
}

/// The same where no module has code that clang's driver gives features of its own: on riscv64 it does so to module assembly and
/// to functions without any.
#[must_use]
pub fn is_proven_for_all(triple: &str) -> bool {
    is_proven(triple) && !triple.starts_with("riscv64")
}

/// ELF's `e_machine` for the architecture of a target triple; `None` if thindist does not know it.
#[must_use]
pub fn elf_machine(triple: &str) -> Option<u16> {
    let architecture = triple.split('-').next().unwrap_or_default();
    Some(match architecture {
        "x86_64" => 62,
        "i386" | "i486" | "i586" | "i686" => 3,
        "aarch64" | "aarch64_be" | "arm64" => 183,
        "riscv32" | "riscv64" => 243,
        "powerpc64" | "powerpc64le" | "ppc64" | "ppc64le" => 21,
        "powerpc" | "ppc" => 20,
        "s390x" => 22,
        "loongarch64" | "loongarch32" => 258,
        "mips" | "mipsel" | "mips64" | "mips64el" => 8,
        "sparcv9" => 43,
        "hexagon" => 164,
        arm if arm.starts_with("arm") || arm.starts_with("thumb") => 40,
        _ => return None,
    })
}

/// The bit of an indexed profile's version that says that it has context-sensitive counters.
const CONTEXT_SENSITIVE: u64 = 1 << 57;
const INDEXED_PROFILE: &[u8; 8] = b"\xfflprofi\x81";

/// Whether clang takes a file for a context-sensitive profile, as lld takes every one.
#[must_use]
pub fn is_context_sensitive(profile: &[u8]) -> bool {
    let version = profile.strip_prefix(INDEXED_PROFILE).and_then(|rest| rest.first_chunk());
    version.is_some_and(|version| u64::from_le_bytes(*version) & CONTEXT_SENSITIVE != 0)
}

/// The `-mllvm` options that are refused because clang lacks them: for the test that holds them against real tools.
#[must_use]
pub fn lld_only_mllvm() -> &'static [&'static str] {
    LLD_ONLY_MLLVM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_with_other_defaults_are_not_proven() {
        for triple in ["x86_64-pc-linux-gnu", "x86_64-unknown-none", "aarch64-linux-gnu", "riscv64-unknown-linux-gnu"] {
            assert!(is_proven(triple), "{triple}");
        }
        for triple in [
            "aarch64-linux-android21",
            "x86_64-unknown-linux-android",
            "x86_64-unknown-openbsd",
            "aarch64-linux-ohos",
            "riscv64-unknown-elf",
            "x86_64-sie-ps5",
            "armv7-linux-gnueabihf",
        ] {
            assert!(!is_proven(triple), "{triple}");
        }
        assert!(!is_proven_for_all("riscv64-linux-gnu") && is_proven_for_all("aarch64-linux-gnu"));
    }
}
