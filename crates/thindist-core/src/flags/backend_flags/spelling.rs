//! The arguments of one backend.
//!
//! lld tells the code generator a few things and leaves the rest to LLVM. clang's driver would add what it has for the target: features,
//! emulated TLS, position independence, an inference of counts. So a backend is called past the driver, by `-cc1`, whose
//! options say what lld says and whose defaults are LLVM's.
//!
//! Where a file's recorded flags count, or somebody hands over options in clang's spelling, it is the driver that understands them.

use super::LinkFlags;
use super::llvm_options::name_of;
use crate::action_files::{INDEX_NAME, MODULE_NAME, NATIVE_OBJECT_NAME, OPTIMISED_NAME, THEN};
use crate::bitcode::ModuleFacts;
use crate::flags::recorded::RecordedFlags;
use crate::lld::link_line::OutputKind;
use crate::lld::versions::Version;

/// Options that the driver has not, or to which it adds something. (That of clang 22 has an inference of counts for samples.)
const ONLY_PAST_THE_DRIVER: &[&str] = &["-debugger-tuning=", "-fprofile-sample-use="];

/// What lld sets whatever its line says.
const LLDS_OWN: &[&str] = &["-ffunction-sections", "-fdata-sections", "-faddrsig"];

impl LinkFlags {
    /// The arguments of the backend of a module with these facts, after the name of a compiler of this version; with the flags
    /// that it was compiled with, if these are to count.
    #[must_use]
    pub fn arguments(&self, compiler: &Version, module: &ModuleFacts, recorded: Option<&RecordedFlags>) -> Vec<String> {
        if recorded.is_some() || !self.driver_options.is_empty() {
            return self.driver_arguments(compiler, module, recorded);
        }
        let mut words = Words(self.front.clone());
        if self.needs_two_runs() {
            words.add(&["-cc1", "-triple", &module.triple, "-emit-llvm-bc"]);
            self.optimisation(&mut words, compiler);
            self.code_generation(&mut words, compiler, module);
            words.add(&["-x", "ir", MODULE_NAME, &format!("-fthinlto-index={INDEX_NAME}"), "-o", OPTIMISED_NAME, THEN]);
            words.extend(&self.front);
            words.add(&["-cc1", "-triple", &module.triple, "-emit-obj", &format!("-O{}", self.codegen_level)]);
            words.add(&["-disable-llvm-passes"]);
            self.code_generation(&mut words, compiler, module);
            words.add(&["-x", "ir", OPTIMISED_NAME, "-o", NATIVE_OBJECT_NAME]);
            return words.0;
        }
        words.add(&["-cc1", "-triple", &module.triple, "-emit-obj"]);
        self.optimisation(&mut words, compiler);
        self.code_generation(&mut words, compiler, module);
        words.add(&["-x", "ir", MODULE_NAME, &format!("-fthinlto-index={INDEX_NAME}"), "-o", NATIVE_OBJECT_NAME]);
        words.0
    }

    /// The same in the spelling of clang's driver, for a line to which somebody adds words in that spelling.
    #[must_use]
    pub fn driver_arguments(
        &self,
        compiler: &Version,
        module: &ModuleFacts,
        recorded: Option<&RecordedFlags>,
    ) -> Vec<String> {
        let mut words = Words(self.front.clone());
        // A clang configuration file of the user must not reach a backend.
        words.add(compiler.without_configuration);
        self.by_the_driver(&mut words, compiler, module, recorded);
        words.0
    }

    /// What lld's `createConfig` says of the pipeline.
    fn optimisation(&self, words: &mut Words, compiler: &Version) {
        words.add(&[&format!("-O{}", self.opt_level)]);
        if self.opt_level >= 2 {
            words.add(&["-vectorize-loops", "-vectorize-slp"]);
        }
        self.unroll(words);
        words.add(compiler.passes);
    }

    /// What it says of code generation, and what LLVM needs for clang's front door.
    fn code_generation(&self, words: &mut Words, compiler: &Version, module: &ModuleFacts) {
        words.add(LLDS_OWN);
        words.add(compiler.relaxed_relocations);
        words.add(&["-mrelocation-model", if self.is_pic(module) { "pic" } else { "static" }]);
        if !self.cpu.is_empty() {
            words.add(&["-target-cpu", &self.cpu]);
        }
        for feature in &self.features {
            words.add(&["-target-feature", feature]);
        }
        for option in &self.mllvm {
            words.add(&["-mllvm", option]);
        }
        words.extend(&self.code_generation);
        // Of how it is done: the driver asks for it as well. clang writes triples in their normal form, and says so where it does.
        words.add(&["-disable-free", "-discard-value-names", "-Wno-override-module"]);
    }

    /// clang's driver completes the line; each of its defaults that differs from lld's is stated.
    fn by_the_driver(
        &self,
        words: &mut Words,
        compiler: &Version,
        module: &ModuleFacts,
        recorded: Option<&RecordedFlags>,
    ) {
        words.add(&[&format!("--target={}", module.triple), &format!("-O{}", self.opt_level)]);
        if recorded.is_none() {
            self.unroll(words);
            words.add(compiler.passes);
        }
        words.add(LLDS_OWN);
        words.add(&[if self.is_pic(module) { "-fPIC" } else { "-fno-pic" }]);
        words.extend(&riscv(module));
        // Without a word of the line, lld's generic processor; with recorded flags that of their own or clang's.
        if recorded.is_none_or(|recorded| !self.cpu.is_empty() && !recorded.names_processor()) {
            words.past_the_driver(&["-target-cpu", &self.cpu]);
        }
        for feature in &self.features {
            words.past_the_driver(&["-target-feature", feature]);
        }
        let own: &[String] = recorded.map_or(&[], |recorded| &recorded.mllvm);
        for option in without_repeated(&self.mllvm, own) {
            words.add(&["-mllvm", option]);
        }
        for option in &self.code_generation {
            match ONLY_PAST_THE_DRIVER.iter().any(|start| option.starts_with(start)) {
                true => words.past_the_driver(&[option]),
                // In its place: what the driver is told later counts.
                false => words.add(&[option]),
            }
        }
        words.extend(&self.driver_options);
        if let Some(recorded) = recorded {
            words.extend(&recorded.words);
            // Much of what a compilation of a source heeds one of bitcode does not.
            words.add(&["-Wno-unused-command-line-argument"]);
        }
        words.add(&["-c", "-x", "ir", MODULE_NAME, &format!("-fthinlto-index={INDEX_NAME}"), "-o", NATIVE_OBJECT_NAME]);
    }

    /// clang unrolls from -O2 on, lld's pipeline at every level.
    fn unroll(&self, words: &mut Words) {
        if self.opt_level == 1 {
            words.add(&["-funroll-loops"]);
        }
    }

    fn is_pic(&self, module: &ModuleFacts) -> bool {
        match self.output_kind {
            OutputKind::Relocatable => module.pic_level.is_some_and(|level| level > 0),
            OutputKind::PositionIndependent => true,
            OutputKind::Static => false,
        }
    }
}

struct Words(Vec<String>);

impl Words {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn extend(&mut self, words: &[String]) {
        self.0.extend_from_slice(words);
    }

    fn past_the_driver(&mut self, words: &[&str]) {
        words.iter().for_each(|word| self.add(&["-Xclang", word]));
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
    let is_later = |rest: &[String], option: &str| rest.iter().any(|later| name_of(later) == name_of(option));
    let link = link.iter().filter(move |option| !is_later(own, option));
    let own = own
        .iter()
        .enumerate()
        .filter(move |(at, option)| !own.get(at + 1..).is_some_and(|rest| is_later(rest, option)));
    link.chain(own.map(|(_, option)| option)).map(String::as_str)
}
