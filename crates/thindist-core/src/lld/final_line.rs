//! The two command lines that thindist gives to lld: the thin link's and the final link's.
//!
//! In-process, lld loads every native input, then adds the LTO objects behind them, and only then takes lazy archive
//! members for references that are still open. The final link repeats that order in three parts:
//! 1. every native object that in-process has loaded, in its order of loading (the thin link's `--trace` tells it);
//! 2. the regular-LTO object and the native objects of the modules, in the thin link's order;
//! 3. libraries for what is still undefined: shared objects, and archives without their bitcode members.
//!
//! An archive in its old place would be read before the LTO objects define what the bitcode did, and a member could be
//! taken that in-process never looks at.

use crate::lld::link_line::options::{Carried, FileWritten, Lto, OnInputs, Role};
use crate::lld::link_line::{Argument, ArgumentKind, LinkLine};

/// A part of the thin link's output, and where it goes.
#[derive(Debug)]
pub struct ThinLinkPaths<'a> {
    /// Receives the list of selected modules.
    pub list: &'a str,
    /// Put before every module identifier to make the path of its index.
    pub index_prefix: &'a str,
    /// Receives the regular-LTO object.
    pub regular_object: &'a str,
    /// Never written; stands in for the user's output, which a failing link would remove.
    pub output: &'a str,
}

/// The thin link's arguments: the user's line in index-only mode.
#[must_use]
pub fn thin_link(line: &LinkLine, paths: &ThinLinkPaths<'_>) -> Vec<String> {
    let mut words: Vec<String> = line
        .arguments()
        .iter()
        .filter(|argument| !matches!(role(argument), Some(Role::Output | Role::Writes(_) | Role::Prints)))
        .filter(|argument| !is_lld_cache(argument))
        // lld would write that of regular LTO although there is none.
        .filter(|argument| role(argument) != Some(Role::Lto(Lto::Carried(Carried::DwoDir))))
        .flat_map(|argument| argument.words.clone())
        .collect();
    words.extend([
        format!("--thinlto-index-only={}", paths.list),
        format!("--thinlto-prefix-replace=;{}", paths.index_prefix),
        format!("--lto-obj-path={}", paths.regular_object),
        "--trace".to_owned(),
        "-o".to_owned(),
        paths.output.to_owned(),
    ]);
    words
}

/// What becomes of an input's place in the last part of the final line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Library {
    /// Nothing: it is bitcode, or loaded already and named in the first part.
    Gone,
    /// The argument as it stands: a shared object, a script, an archive without bitcode.
    Kept,
    /// Another file in its place: an archive without its bitcode members.
    Replaced(String),
    /// A native object between `--start-lib` and `--end-lib` that was not loaded.
    Lazy(String),
    /// The files of a linker script.
    Listed(Vec<Listed>),
}

/// A file of a linker script that is not read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How a line names it.
    pub word: String,
    /// It stands in `AS_NEEDED(…)`.
    pub as_needed: bool,
    /// What becomes of it.
    pub fate: Library,
}

/// An object that in-process has loaded: a native input, or one that LTO has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// A file of its own.
    Object(String),
    /// A file read with `--format=binary`.
    Binary(String),
    /// Members of one archive, loaded one after the other, in an archive of their own.
    Members(String),
}

impl Loaded {
    fn words(&self) -> Vec<String> {
        match self {
            Self::Object(path) => vec![path.clone()],
            Self::Binary(path) => vec!["--format=binary".to_owned(), path.clone(), "--format=default".to_owned()],
            Self::Members(archive) => {
                vec!["--whole-archive".to_owned(), archive.clone(), "--no-whole-archive".to_owned()]
            }
        }
    }
}

/// What the final link is given beside the user's line.
#[derive(Debug)]
pub struct FinalLink<'a> {
    /// In the order of loading: natives, then LTO objects.
    pub loaded: &'a [Loaded],
    /// One entry for each of `line.inputs()`.
    pub libraries: &'a [Library],
    /// Symbols in the order of in-process' table. lld enters a symbol that it is to trace before it reads a file, and
    /// does nothing else to it.
    pub symbols: &'a [String],
    /// Where the output goes.
    pub output: &'a str,
}

/// The final link's arguments.
#[must_use]
pub fn final_link(line: &LinkLine, parts: &FinalLink<'_>) -> Vec<String> {
    let mut words = head(line);
    words.extend(line.time_trace_file().map(|file| format!("--time-trace={file}")));
    words.extend(parts.symbols.iter().map(|name| format!("--trace-symbol={name}")));
    words.extend(parts.loaded.iter().flat_map(Loaded::words));
    words.extend(tail(line, parts.libraries));
    words.extend(["-o".to_owned(), parts.output.to_owned()]);
    words
}

/// Every option that does not depend on its place among the inputs.
fn head(line: &LinkLine) -> Vec<String> {
    line.arguments()
        .iter()
        .filter(|argument| match role(argument) {
            None | Some(Role::Input | Role::Output | Role::SelectionReport) => false,
            Some(Role::State(what)) => holds_for_all(what),
            // Named after the user's output, below.
            Some(Role::Writes(FileWritten::TimeTrace)) => false,
            Some(_) => !is_lld_cache(argument),
        })
        .flat_map(|argument| argument.words.clone())
        .collect()
}

/// Libraries in their order, with the options that say how they are read.
fn tail(line: &LinkLine, libraries: &[Library]) -> Vec<String> {
    let inputs = line.inputs();
    let mut fates = inputs.iter().zip(libraries).peekable();
    let mut words = Vec::new();
    for (position, argument) in line.arguments().iter().enumerate() {
        while let Some((_, fate)) = fates.next_if(|(input, _)| input.argument == position) {
            words.extend(library(fate, &argument.words));
        }
        if let Some(Role::State(what)) = role(argument)
            && !holds_for_all(what)
            && !was_applied(what)
        {
            words.extend(argument.words.iter().cloned());
        }
    }
    words
}

/// The words of an input in the last part; `given` are those that it has.
fn library(fate: &Library, given: &[String]) -> Vec<String> {
    match fate {
        Library::Gone => Vec::new(),
        Library::Kept => given.to_vec(),
        Library::Replaced(path) => vec![path.clone()],
        Library::Lazy(path) => vec!["--start-lib".to_owned(), path.clone(), "--end-lib".to_owned()],
        Library::Listed(files) => files.iter().flat_map(listed).collect(),
    }
}

fn listed(file: &Listed) -> Vec<String> {
    let words = library(&file.fate, std::slice::from_ref(&file.word));
    if !file.as_needed || words.is_empty() {
        return words;
    }
    let before = ["--push-state", "--as-needed"].map(str::to_owned).into_iter();
    before.chain(words).chain(["--pop-state".to_owned()]).collect()
}

fn role(argument: &Argument) -> Option<Role> {
    match &argument.kind {
        ArgumentKind::Option(spec, _) => Some(spec.role),
        ArgumentKind::File(_) | ArgumentKind::Unknown(_) => None,
    }
}

fn is_lld_cache(argument: &Argument) -> bool {
    role(argument) == Some(Role::Lto(Lto::LldCache))
}

/// Search paths hold for the whole line, wherever they stand.
fn holds_for_all(what: OnInputs) -> bool {
    matches!(what, OnInputs::Directory | OnInputs::Sysroot | OnInputs::NoScriptDirectories | OnInputs::StaticAndLayout)
}

/// What they ask for has been done in the first part.
fn was_applied(what: OnInputs) -> bool {
    matches!(what, OnInputs::WholeArchive | OnInputs::StartLib | OnInputs::EndLib | OnInputs::Format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lld::link_line::response_file::tokenize;

    fn line(text: &str) -> LinkLine {
        LinkLine::parse(&tokenize(text)).unwrap()
    }

    #[test]
    fn the_thin_link_never_names_the_output() {
        let paths =
            ThinLinkPaths { list: "T/list", index_prefix: "T/ix/", regular_object: "T/reg.o", output: "T/none" };
        let words = thin_link(&line("-r -o out.o -Map m.map --thinlto-cache-dir=c a.o"), &paths);
        assert_eq!(
            words.join(" "),
            "-r a.o --thinlto-index-only=T/list --thinlto-prefix-replace=;T/ix/ --lto-obj-path=T/reg.o --trace -o T/none"
        );
    }

    #[test]
    fn lto_objects_stand_between_natives_and_libraries() {
        let line =
            line("-L d crt1.o a.o --as-needed -lm --no-as-needed --whole-archive w.a --no-whole-archive libx.a -o p");
        let loaded =
            [Loaded::Object("crt1.o".into()), Loaded::Members("T/0/w.a".into()), Loaded::Object("T/a.o".into())];
        let libraries =
            [Library::Gone, Library::Gone, Library::Kept, Library::Gone, Library::Replaced("T/1/libx.a".into())];
        let symbols = ["main".to_owned()];
        let parts = FinalLink { loaded: &loaded, libraries: &libraries, symbols: &symbols, output: "T/p" };
        assert_eq!(
            final_link(&line, &parts).join(" "),
            "-L d --trace-symbol=main crt1.o --whole-archive T/0/w.a --no-whole-archive T/a.o \
             --as-needed -lm --no-as-needed T/1/libx.a -o T/p"
        );
    }

    #[test]
    fn what_is_left_of_a_scripts_files() {
        let line = line("a.o x.lds -o p");
        let file = |word: &str, as_needed, fate| Listed { word: word.to_owned(), as_needed, fate };
        let files = vec![
            file("b.o", false, Library::Gone),
            file("-lm", true, Library::Kept),
            file("c.so", false, Library::Kept),
            file("d.o", true, Library::Gone),
        ];
        let libraries = [Library::Gone, Library::Listed(files)];
        let parts = FinalLink { loaded: &[], libraries: &libraries, symbols: &[], output: "p" };
        assert_eq!(final_link(&line, &parts).join(" "), "--push-state --as-needed -lm --pop-state c.so -o p");
    }
}
