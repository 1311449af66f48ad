//! The flags with which each file was compiled, as recorded by its build, and the part of them that its backend gets.
//!
//! In-process LTO has one set of options for all modules; a file that asks for `-O1` gets the link's level. Where each file's own
//! flags are wanted, they come from here: found in what Kbuild or compile_commands.json say of the object, read as a
//! shell would, and taken by one table. It does not know where these files are.

pub mod compile_commands;
pub mod kbuild;
mod table;
pub mod words;

use crate::action::{BLOCK_SECTIONS_NAME, LinkFile, SAMPLE_PROFILE_NAME};
use crate::backend_flags::Mllvm;
use crate::paths;
use crate::targets::elf_machine;
use table::Fate;

/// What of a file's flags its backend is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedFlags {
    /// In their order, without `-mllvm` and what goes with it.
    pub words: Vec<String>,
    /// The values of `-mllvm`.
    pub mllvm: Vec<String>,
}

/// Why a file's flags cannot be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Nothing is recorded.
    #[error("no command is recorded for it")]
    NoCommand,
    /// It is of another object.
    #[error("the recorded command is that of {0}")]
    OfAnother(String),
    /// It has a variable of make.
    #[error("the recorded command has a variable that only make can expand")]
    Make,
    /// It needs a shell.
    #[error("the recorded command: {0}")]
    Words(#[from] words::WordsError),
    /// It is no JSON of that kind.
    #[error("no list of compile commands: {0}")]
    Json(String),
    /// The table has no row for a flag.
    #[error("it was compiled with {0}, and thindist does not know whether that concerns code generation")]
    Unknown(String),
    /// A flag that would read a file which nobody has declared.
    #[error("it was compiled with {0}, which names a file that is not named on the link line")]
    File(String),
    /// Compiled for another machine than the bitcode says.
    #[error("it was compiled with --target={recorded}, but its bitcode is for {bitcode}")]
    Target {
        /// What the flags say.
        recorded: String,
        /// The bitcode's triple.
        bitcode: String,
    },
}

impl RecordedFlags {
    /// What of `arguments`, those of the compiler, concerns the backend of a module for `triple`. Files that the line names for
    /// all backends may be named here as well.
    ///
    /// # Errors
    /// A flag has no row in the table, names another file, or is for another target.
    pub fn of(arguments: &[String], triple: &str, files: &[LinkFile], here: &str) -> Result<Self, RecordError> {
        let mut flags = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let target = word.strip_prefix("--target=").or_else(|| word.strip_prefix("-target="));
            if let Some(target) = target {
                check_target(target, triple)?;
            } else if word == "-target" {
                check_target(words.next().map_or("", String::as_str), triple)?;
            } else if let Some((name, path)) = profile(word) {
                let is_named = |file: &LinkFile| {
                    file.name == name && paths::relative(&file.path, here) == paths::relative(path, here)
                };
                files.iter().find(|file| is_named(file)).ok_or_else(|| RecordError::File(word.clone()))?;
            } else if let Some(fate) = table::fate_with_value(word) {
                flags.add_pair(fate, word, words.next().map_or("", String::as_str))?;
            } else if word.starts_with('-') {
                match table::fate(word).ok_or_else(|| RecordError::Unknown(word.clone()))? {
                    Fate::Taken => flags.words.push(word.clone()),
                    Fate::Frontend => {}
                }
            }
        }
        Ok(flags)
    }

    fn add_pair(&mut self, fate: Fate, word: &str, value: &str) -> Result<(), RecordError> {
        match fate {
            Fate::Frontend => {}
            Fate::Taken if word == "-mllvm" => match Mllvm::of(value) {
                Mllvm::NamesFile => return Err(RecordError::File(format!("{word} {value}"))),
                Mllvm::Plain => self.mllvm.push(value.to_owned()),
            },
            Fate::Taken => self.words.extend([word.to_owned(), value.to_owned()]),
        }
        Ok(())
    }

    /// The processor is named here, and not the link's.
    #[must_use]
    pub fn names_processor(&self) -> bool {
        self.words.iter().any(|word| word.starts_with("-march=") || word.starts_with("-mcpu="))
    }
}

/// A flag that names a profile: which, and where it is.
fn profile(word: &str) -> Option<(&'static str, &str)> {
    let samples = ["-fprofile-sample-use=", "-fauto-profile="];
    let named = samples.iter().find_map(|flag| word.strip_prefix(flag)).map(|path| (SAMPLE_PROFILE_NAME, path));
    named.or_else(|| word.strip_prefix("-fbasic-block-sections=list=").map(|path| (BLOCK_SECTIONS_NAME, path)))
}

fn check_target(recorded: &str, triple: &str) -> Result<(), RecordError> {
    if elf_machine(recorded).is_some() && elf_machine(recorded) == elf_machine(triple) {
        return Ok(());
    }
    Err(RecordError::Target { recorded: recorded.to_owned(), bitcode: triple.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLE: &str = "x86_64-unknown-linux-gnu";

    fn of(text: &str) -> Result<RecordedFlags, RecordError> {
        let files = [LinkFile { name: SAMPLE_PROFILE_NAME, path: "p/kernel.afdo".to_owned() }];
        RecordedFlags::of(&words::first_command(text).unwrap(), TRIPLE, &files, "/b")
    }

    #[test]
    fn what_concerns_code_generation_is_taken() {
        let flags =
            of("-Wp,-MMD,x.d -nostdinc -I./inc -include x.h -D'pr_fmt(fmt)=\"x\" fmt' --target=x86_64-linux-gnu \
                        -fno-PIE -mno-sse -O1 -mllvm -max-store-memset=4 -flto=thin -c -o x.o x.c");
        let flags = flags.unwrap();
        assert_eq!(flags.words, ["-fno-PIE", "-mno-sse", "-O1"]);
        assert_eq!(flags.mllvm, ["-max-store-memset=4"]);
    }

    #[test]
    fn what_has_no_row_is_named() {
        assert_eq!(of("-O2 -fno-such-flag"), Err(RecordError::Unknown("-fno-such-flag".to_owned())));
        assert_eq!(of("--frob"), Err(RecordError::Unknown("--frob".to_owned())));
        assert!(matches!(of("--target=aarch64-linux-gnu"), Err(RecordError::Target { .. })));
        assert!(matches!(of("-target i386-linux-gnu"), Err(RecordError::Target { .. })));
    }

    #[test]
    fn files_are_those_of_the_line() {
        assert_eq!(of("-fprofile-sample-use=/b/p/kernel.afdo -O2").unwrap().words, ["-O2"]);
        assert!(matches!(of("-fprofile-sample-use=other.afdo"), Err(RecordError::File(_))));
        assert!(matches!(of("-fbasic-block-sections=list=x"), Err(RecordError::File(_))));
        assert!(matches!(of("-mllvm -load=x.so"), Err(RecordError::File(_))));
    }
}
