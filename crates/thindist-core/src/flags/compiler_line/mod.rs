//! A compiler's command line: whether it is a backend compilation, and of which module.
//!
//! It does not know whether the compiler is clang or what the files hold.

mod options;

use crate::action_files::{INDEX_NAME, MODULE_NAME, NATIVE_OBJECT_NAME};
use crate::flags::backend_flags::llvm_options::Mllvm;
use crate::lld::link_line::Refusal;
use crate::lld::versions::Version;
use options::{Found, Meaning};

/// What every backend compilation has on its line, and no other.
pub const INDEX_OPTION: &str = "-fthinlto-index=";

/// One backend compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendLine {
    /// The bitcode, as the line names it: the index has the same name for it.
    pub module: String,
    /// Its individual index.
    pub index: String,
    /// The native object.
    pub output: String,
    /// What concerns the code, in its order.
    kept: Vec<String>,
}

impl BackendLine {
    /// Reads the words after the compiler's name.
    ///
    /// # Errors
    /// Something on the line is not understood, or means a file: only the compiler can carry it out.
    pub fn parse(words: &[String]) -> Result<Self, Refusal> {
        let mut reader = Reader::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.starts_with('-') {
                let found = options::find(word).ok_or_else(|| refuse(word, "thindist does not know this option"))?;
                let next = if found.takes_next { words.next() } else { None };
                reader.option(word, found, next)?;
            } else {
                reader.input(word)?;
            }
        }
        reader.finish()
    }

    /// The action's arguments, after the name of a compiler of this version.
    #[must_use]
    pub fn arguments(&self, compiler: &Version) -> Vec<String> {
        // A configuration file would be an undeclared input. The program does not come here where there is one.
        let mut arguments: Vec<String> = compiler.without_configuration.iter().map(|word| (*word).to_owned()).collect();
        arguments.extend_from_slice(&self.kept);
        let index = format!("{INDEX_OPTION}{INDEX_NAME}");
        arguments.extend(["-c", "-x", "ir", MODULE_NAME, &index, "-o", NATIVE_OBJECT_NAME].map(str::to_owned));
        arguments
    }
}

fn refuse(option: &str, reason: &str) -> Refusal {
    Refusal { option: option.to_owned(), reason: reason.to_owned() }
}

#[derive(Default)]
struct Reader<'a> {
    module: Option<&'a str>,
    index: Option<&'a str>,
    output: Option<&'a str>,
    kept: Vec<String>,
    is_bitcode: bool,
    compiles: bool,
    /// The first option that clang would call unused.
    unused: Option<&'a str>,
    hides_unused: bool,
}

impl<'a> Reader<'a> {
    fn option(&mut self, word: &'a str, found: Found<'a>, next: Option<&'a String>) -> Result<(), Refusal> {
        let value = found.joined.or(next.map(String::as_str)).unwrap_or_default();
        if found.takes_next && next.is_none() {
            return Err(refuse(word, "its value is missing"));
        }
        match found.meaning {
            Meaning::Kept => self.keep(word, next)?,
            Meaning::Llvm => self.keep_llvm(word, value)?,
            Meaning::Ignored => {}
            Meaning::Unused => self.unused = self.unused.or(Some(word)),
            Meaning::HidesUnused(hides) => {
                self.hides_unused = hides;
                self.kept.push(word.to_owned());
            }
            Meaning::Compile => self.compiles = true,
            Meaning::Language if value == "ir" => self.is_bitcode = true,
            Meaning::Language => return Err(refuse(&format!("-x {value}"), "only bitcode has backends")),
            Meaning::Output => once(&mut self.output, value, "-o")?,
            Meaning::Index => once(&mut self.index, value, INDEX_OPTION)?,
        }
        Ok(())
    }

    fn keep(&mut self, word: &str, next: Option<&String>) -> Result<(), Refusal> {
        if word.contains('/') {
            return Err(refuse(word, "it seems to name a file, which would be an undeclared input"));
        }
        self.kept.push(word.to_owned());
        self.kept.extend(next.cloned());
        Ok(())
    }

    fn keep_llvm(&mut self, word: &str, option: &str) -> Result<(), Refusal> {
        if Mllvm::of(option) == Mllvm::NamesFile {
            let reason = "it seems to name a file, which would be an undeclared input";
            return Err(refuse(&format!("{word} {option}"), reason));
        }
        self.kept.extend([word.to_owned(), option.to_owned()]);
        Ok(())
    }

    fn input(&mut self, word: &'a str) -> Result<(), Refusal> {
        if word.starts_with('@') {
            return Err(refuse(word, "response files are not read"));
        }
        if !self.is_bitcode {
            return Err(refuse(word, "it does not stand behind `-x ir`"));
        }
        once(&mut self.module, word, "the input")
    }

    fn finish(self) -> Result<BackendLine, Refusal> {
        if let Some(option) = self.unused.filter(|_| !self.hides_unused) {
            let reason =
                "it is not used with bitcode, which the compiler has to say (-Wno-unused-command-line-argument)";
            return Err(refuse(option, reason));
        }
        if !self.compiles {
            return Err(refuse(INDEX_OPTION, "there is no `-c` beside it"));
        }
        let missing = |what: &str| refuse(INDEX_OPTION, &format!("there is no {what} beside it"));
        Ok(BackendLine {
            module: self.module.ok_or_else(|| missing("input"))?.to_owned(),
            index: self.index.ok_or_else(|| missing("index"))?.to_owned(),
            output: self.output.ok_or_else(|| missing("`-o`"))?.to_owned(),
            kept: self.kept,
        })
    }
}

fn once<'a>(place: &mut Option<&'a str>, value: &'a str, what: &str) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(refuse(value, &format!("{what} is there twice"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<BackendLine, Refusal> {
        BackendLine::parse(&line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    /// What kernel 7.2's Makefile.thinlto calls, shortened.
    const KERNEL: &str = "-nostdinc -D__KERNEL__ -I./include -include ./include/linux/kconfig.h -fmacro-prefix-map=./= \
        -std=gnu11 -Os -mcmodel=kernel -Werror=unused-command-line-argument -Wframe-larger-than=1280 -mllvm -trap-unreachable \
        -x ir -fno-lto -Wno-unused-command-line-argument -fthinlto-index=lib/bcd.o.thinlto.bc -c \
        -o lib/bcd.thinlto-native.o lib/bcd.o";

    #[test]
    fn the_kernels_line() {
        let line = parse(KERNEL).unwrap();
        assert_eq!((line.module.as_str(), line.index.as_str()), ("lib/bcd.o", "lib/bcd.o.thinlto.bc"));
        assert_eq!(line.output, "lib/bcd.thinlto-native.o");
        assert_eq!(
            line.kept.join(" "),
            "-nostdinc -std=gnu11 -Os -mcmodel=kernel -Werror=unused-command-line-argument -Wframe-larger-than=1280 \
             -mllvm -trap-unreachable -fno-lto -Wno-unused-command-line-argument"
        );
    }

    #[test]
    fn no_path_of_the_line_reaches_the_action() {
        let elsewhere = KERNEL.replace("lib/", "/elsewhere/lib/").replace("./include", "/elsewhere/include");
        assert_eq!(parse(&elsewhere).unwrap().kept, parse(KERNEL).unwrap().kept);
    }

    #[track_caller]
    fn refused(line: &str, what: &str) {
        let refusal = parse(line).unwrap_err().to_string();
        assert!(refusal.contains(what), "{refusal}");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let usual = "-fthinlto-index=a.bc -c -o a.n.o -x ir a.o";
        assert!(parse(usual).is_ok());
        refused(&format!("-fplugin=x.so {usual}"), "-fplugin=x.so");
        refused(&format!("{usual} b.o"), "b.o");
        refused(&format!("@more {usual}"), "response files");
        refused(&format!("-fdebug-prefix-map=/a=b {usual}"), "-fdebug-prefix-map");
        refused(&format!("-mllvm -some-file=x {usual}"), "-some-file=x");
        refused(&format!("{usual} -mllvm"), "missing");
        refused("-fthinlto-index=a.bc -c -o a.n.o a.o", "-x ir");
        refused("-fthinlto-index=a.bc -o a.n.o -x ir a.o", "-c");
        refused("-fthinlto-index=a.bc -c -x ir a.o", "-o");
        refused("-fthinlto-index=a.bc -c -o a.n.o -x c a.c", "-x c");
        refused(&format!("-fthinlto-index=b.bc {usual}"), "twice");
    }

    #[test]
    fn what_clang_would_complain_of_is_left_to_it() {
        let usual = "-fthinlto-index=a.bc -c -o a.n.o -x ir a.o";
        refused(&format!("-I. {usual}"), "-I.");
        assert!(parse(&format!("-I. {usual} -Qunused-arguments")).is_ok());
        refused(&format!("-I. -Wno-unused-command-line-argument {usual} -Wunused-command-line-argument"), "-I.");
        assert!(parse(&format!("-DX {usual}")).is_ok());
    }
}
