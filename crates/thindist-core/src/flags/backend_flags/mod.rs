//! The options of a backend compilation: lld's LTO options in clang's spelling, and what the bitcode requires.
//!
//! In-process, lld makes one LTO configuration for the whole link and LLVM completes it from each module's flags. So do backends:
//! - the optimisation level is lld's, never the one that the file was compiled with;
//! - position independence comes from the kind of output, or with `-r` from the module's "PIC Level" flag;
//! - a function without `target-cpu` is compiled for LLVM's generic CPU;
//! - the code model, the ABI and the large-data threshold are left to the module's flags.
//!
//! `spelling` writes it down for one module.

pub(crate) mod llvm_options;
mod side_files;
mod spelling;

use crate::action_files::{BLOCK_SECTIONS_NAME, CS_PROFILE_NAME, LinkFile, SAMPLE_PROFILE_NAME};
use crate::flags::targets;
use crate::lld::link_line::options::{Carried, Lto, Role, Spec};
use crate::lld::link_line::{LinkLine, OutputKind, Refusal};

use llvm_options::{AsCc1, LLD_ONLY_MLLVM, Mllvm, OVERRIDDEN_MLLVM, as_cc1, name_of, switch};
pub use llvm_options::{lld_only_mllvm, names_file};
pub use side_files::SideFiles;

/// What the link line says to every backend of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFlags {
    output_kind: OutputKind,
    opt_level: u8,
    /// Of the code generator.
    codegen_level: u8,
    cpu: String,
    features: Vec<String>,
    mllvm: Vec<String>,
    /// Of `clang -cc1`.
    code_generation: Vec<String>,
    /// Of clang's driver, handed over as such.
    driver_options: Vec<String>,
    /// Words in front of all others.
    front: Vec<String>,
    files: Vec<LinkFile>,
    side_files: SideFiles,
}

/// How clang's options begin that write a file beside the object, or another one than an object.
#[rustfmt::skip]
const WRITES_A_FILE: &[&str] = &[
    "-E", "-M", "-S", "-emit-", "-foptimization-record", "-fproc-stat-report", "-fsave-optimization-record", "-fsyntax-only",
    "-ftime-trace", "-gsplit-dwarf", "-o", "-save-", "--save-", "@",
];
const SAMPLE_PROFILE: &str = "-fprofile-sample-use=";
/// Past the driver the two versions have other options for it.
const CS_PROFILE: &str = "-fprofile-use=";
const BLOCK_SECTIONS: &str = "-fbasic-block-sections=";

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
            codegen_level: 2,
            cpu: String::new(),
            features: Vec::new(),
            mllvm: Vec::new(),
            code_generation: Vec::new(),
            driver_options: Vec::new(),
            front: Vec::new(),
            files: Vec::new(),
            side_files: SideFiles::default(),
        };
        let mut codegen_level = None;
        for (spec, value) in in_llds_order(line) {
            let Role::Lto(Lto::Carried(how)) = spec.role else { continue };
            let refuse =
                |reason: &str| Refusal { option: format!("--{}{value}", spec.name), reason: reason.to_owned() };
            match how {
                Carried::OptLevel => {
                    flags.opt_level = level(value).ok_or_else(|| refuse("it is not a level from 0 to 3"))?
                }
                Carried::CodegenLevel => {
                    codegen_level = Some(level(value).ok_or_else(|| refuse("it is not a level from 0 to 3"))?);
                }
                Carried::Mllvm => flags.add_mllvm(value, value)?,
                Carried::PluginMllvm => flags.add_mllvm(&format!("-{value}"), value)?,
                Carried::Cpu => flags.set_cpu(value)?,
                Carried::Partitions if value == "1" => {}
                Carried::Partitions => return Err(refuse("regular LTO would make several objects")),
                Carried::Kind if value == "thin" => {}
                Carried::Kind => return Err(refuse("only ThinLTO has backends to separate")),
                Carried::BasicBlockSections => flags.set_block_sections(value),
                Carried::SampleProfile => flags.add_file(SAMPLE_PROFILE, SAMPLE_PROFILE_NAME, value),
                Carried::CsProfile => flags.add_file(CS_PROFILE, CS_PROFILE_NAME, value),
                Carried::BasicBlockAddressMap => flags.switch("-fbasic-block-address-map", !spec.negated),
                Carried::UniqueBasicBlockSectionNames => {
                    flags.switch("-funique-basic-block-section-names", !spec.negated);
                }
                Carried::DwoDir => flags.side_files.dwo_dir = some(value),
                Carried::Remarks => flags.side_files.remarks = some(value),
                Carried::RemarksFormat => value.clone_into(&mut flags.side_files.format),
                Carried::RemarksPasses => flags.side_files.passes = some(value),
                Carried::RemarksWithHotness => flags.side_files.with_hotness = true,
                Carried::RemarksHotnessThreshold => flags.side_files.hotness_threshold = some(value),
            }
        }
        flags.side_files.check()?;
        // Of its own accord lld generates code at level 2 or 3.
        flags.codegen_level = codegen_level.unwrap_or(flags.opt_level.max(2));
        if flags.needs_two_runs() && flags.side_files.remarks.is_some() {
            return Err(flags.two_levels("remarks would be those of one of two runs"));
        }
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
            self.driver_options.push(word.clone());
        }
        Ok(())
    }

    /// What lld does not know for a word is the name of a file; so it is here.
    fn set_block_sections(&mut self, value: &str) {
        self.drop_file(BLOCK_SECTIONS, BLOCK_SECTIONS_NAME);
        match value {
            "all" | "none" | "labels" => self.code_generation.push(format!("{BLOCK_SECTIONS}{value}")),
            file => self.add_file(&format!("{BLOCK_SECTIONS}list="), BLOCK_SECTIONS_NAME, file),
        }
    }

    /// The last of several files counts; an empty name stands for none.
    fn add_file(&mut self, option: &str, name: &'static str, path: &str) {
        self.drop_file(option, name);
        if !path.is_empty() {
            self.words_for(option).push(format!("{option}{name}"));
            self.files.push(LinkFile { name, path: path.to_owned() });
        }
    }

    fn drop_file(&mut self, option: &str, name: &str) {
        self.files.retain(|file| file.name != name);
        self.words_for(option).retain(|word| !word.starts_with(option));
    }

    fn words_for(&mut self, option: &str) -> &mut Vec<String> {
        if option == CS_PROFILE { &mut self.driver_options } else { &mut self.code_generation }
    }

    /// `-cc1` has words for what is not its default only.
    fn switch(&mut self, option: &str, on: bool) {
        self.code_generation.retain(|word| word != option);
        if on {
            self.code_generation.push(option.to_owned());
        }
    }

    /// lld keeps the level of code generation apart from that of optimisation, and clang has one for both: so it optimises at the one
    /// in a first run and generates code at the other in a second.
    #[must_use]
    pub fn needs_two_runs(&self) -> bool {
        self.codegen_level != self.opt_level
    }

    /// # Errors
    /// The backend of a module is called by clang's driver, of whose spelling two runs are not proven.
    pub fn check_levels(&self, by_driver: bool) -> Result<(), Refusal> {
        if self.needs_two_runs() && (by_driver || !self.driver_options.is_empty()) {
            return Err(self.two_levels("clang's driver has one level for both"));
        }
        Ok(())
    }

    fn two_levels(&self, why: &str) -> Refusal {
        let Self { opt_level, codegen_level, .. } = self;
        let reason =
            format!("lld generates code at level {codegen_level} under it, and {why}; add --lto-CGO{opt_level}");
        Refusal { option: format!("--lto-O{opt_level}"), reason }
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
        let name = name_of(option);
        let refuse = |reason: &str| Err(Refusal { option: format!("-mllvm {shown}"), reason: reason.to_owned() });
        if let Some(cpu) = option.trim_start_matches('-').strip_prefix("mcpu=") {
            return self.set_cpu(cpu);
        }
        if let Some(features) = option.trim_start_matches('-').strip_prefix("mattr=") {
            self.features.extend(features.split(',').map(str::to_owned));
            return Ok(());
        }
        if let Some(how) = as_cc1(name) {
            return self.add_code_generation(how, option, shown);
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

    /// An option of the code generator, of which the last one counts.
    fn add_code_generation(&mut self, how: AsCc1, option: &str, shown: &str) -> Result<(), Refusal> {
        let (word, when) = match how {
            AsCc1::Inert => return Ok(()),
            AsCc1::Value(prefix) => {
                let value = option.split_once('=').map_or("", |(_, value)| value);
                self.code_generation.retain(|word| !word.starts_with(prefix));
                self.code_generation.push(format!("{prefix}{value}"));
                return Ok(());
            }
            AsCc1::On(word) => (word, true),
            AsCc1::Off(word) => (word, false),
        };
        let refuse =
            || Refusal { option: format!("-mllvm {shown}"), reason: "it is neither true nor false".to_owned() };
        let is_on = switch(option).ok_or_else(refuse)?;
        self.switch(word, is_on == when);
        Ok(())
    }

    /// Whether backends of a module for this target give in-process' bytes; `has_more` if clang's driver is given words of the module's
    /// or of somebody's.
    ///
    /// # Errors
    /// They are not proven to.
    pub fn check_target(&self, triple: &str, has_more: bool) -> Result<(), Refusal> {
        let by_driver = has_more || !self.driver_options.is_empty();
        if targets::is_proven(triple) && (!by_driver || targets::has_usual_defaults(triple)) {
            return Ok(());
        }
        let reason = "separate backends are not proven to give the bytes of in-process ones for this target".to_owned();
        Err(Refusal { option: format!("target {triple}"), reason })
    }

    /// Files that every backend of the link reads.
    #[must_use]
    pub fn files(&self) -> &[LinkFile] {
        &self.files
    }

    /// Files that backends write beside their objects.
    #[must_use]
    pub fn side_files(&self) -> &SideFiles {
        &self.side_files
    }

    /// The options that every backend of the link shares, for reports.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut words = vec![format!("-O{}", self.opt_level), format!("{:?}", self.output_kind)];
        words.extend((!self.cpu.is_empty()).then(|| format!("CPU {}", self.cpu)));
        words.extend(self.features.iter().map(|feature| format!("feature {feature}")));
        words.extend(self.mllvm.iter().map(|option| format!("-mllvm {option}")));
        words.extend(self.code_generation.iter().chain(&self.driver_options).cloned());
        words.join(" ")
    }
}

/// lld heeds `-plugin-opt=mcpu=`, then every `-plugin-opt=-…`, then every `-mllvm`, wherever they stand on the line.
fn in_llds_order(line: &LinkLine) -> Vec<(&Spec, &str)> {
    let mut options: Vec<_> = line.options().collect();
    options.sort_by_key(|(spec, _)| match spec.role {
        Role::Lto(Lto::Carried(Carried::PluginMllvm)) => 1,
        Role::Lto(Lto::Carried(Carried::Mllvm)) => 2,
        _ => 0,
    });
    options
}

fn some(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn level(value: &str) -> Option<u8> {
    value.parse().ok().filter(|level| *level <= 3)
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
