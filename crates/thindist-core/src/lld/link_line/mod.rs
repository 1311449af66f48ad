//! A linker's command line: its arguments with their meaning, and the questions that a ThinLTO link asks about it.
//!
//! What it does not know: the file system. Whether `-lx` is an archive or a shared object, and what is in a file, the
//! program finds out; it asks [`LinkLine::inputs`] where to look.

mod inputs;
pub mod options;
pub mod response_file;

pub use inputs::{Input, InputName, LibrarySearch, append_path};

use options::{FileRead, FileWritten, Lto, OnInputs, Role, Spec};

/// One argument, with its value where that stood apart.
#[derive(Debug, Clone)]
pub struct Argument {
    /// The words as they stood on the line, one or two.
    pub words: Vec<String>,
    /// What it is.
    pub kind: ArgumentKind,
}

/// What an argument is.
#[derive(Debug, Clone)]
pub enum ArgumentKind {
    /// A file named on the line.
    File(String),
    /// An option with a row in the table, and its value.
    Option(Spec, Option<String>),
    /// Begins with a dash and has no row.
    Unknown(String),
}

/// A parsed link line.
#[derive(Debug, Clone)]
pub struct LinkLine {
    arguments: Vec<Argument>,
}

/// The last option on the line lacks its value.
#[derive(Debug, thiserror::Error)]
#[error("{0}: missing argument")]
pub struct MissingValue(String);

/// The kind of output, as far as code generation depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// `-r`
    Relocatable,
    /// `-shared` or `-pie`
    PositionIndependent,
    /// An executable at a fixed address.
    Static,
}

/// How warnings are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warnings {
    /// Printed.
    Shown,
    /// `--fatal-warnings`
    Fatal,
    /// `--no-warnings`, which cancels `--fatal-warnings`.
    Silent,
}

impl LinkLine {
    /// Parses the arguments after the linker's name, response files already expanded.
    ///
    /// # Errors
    /// The last option lacks its value.
    pub fn parse(words: &[String]) -> Result<Self, MissingValue> {
        let mut arguments = Vec::with_capacity(words.len());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut taken = vec![word.clone()];
            let kind = match options::find(word) {
                Some(found) => {
                    let value = match found.joined {
                        Some(value) => Some(value.to_owned()),
                        None if takes_next(found.spec) => {
                            let value = words.next().ok_or_else(|| MissingValue(word.clone()))?;
                            taken.push(value.clone());
                            Some(value.clone())
                        }
                        None => None,
                    };
                    ArgumentKind::Option(found.spec, value)
                }
                // A lone dash is a file name to lld (which then fails to open it).
                None if word.starts_with('-') && word != "-" => ArgumentKind::Unknown(word.clone()),
                None => ArgumentKind::File(word.clone()),
            };
            arguments.push(Argument { words: taken, kind });
        }
        Ok(Self { arguments })
    }

    /// Every argument in order.
    #[must_use]
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// The words of the line.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().flat_map(|argument| &argument.words).map(String::as_str)
    }

    /// Each option in order with its value, or the empty string where it has none.
    pub fn options(&self) -> impl DoubleEndedIterator<Item = (&Spec, &str)> {
        self.arguments.iter().filter_map(|argument| match &argument.kind {
            ArgumentKind::Option(spec, value) => Some((spec, value.as_deref().unwrap_or_default())),
            ArgumentKind::File(_) | ArgumentKind::Unknown(_) => None,
        })
    }

    fn last_value(&self, wanted: impl Fn(&Spec) -> bool) -> Option<&str> {
        self.options().rev().find(|(spec, _)| wanted(spec)).map(|(_, value)| value)
    }

    /// An option of this name is on the line.
    #[must_use]
    pub fn has_option(&self, name: &str) -> bool {
        self.options().any(|(spec, _)| spec.name == name)
    }

    fn has(&self, names: &[&str]) -> bool {
        self.options().any(|(spec, _)| names.contains(&spec.name) && !spec.negated)
    }

    /// The output path; lld's default is `a.out`.
    #[must_use]
    pub fn output(&self) -> &str {
        self.last_value(|spec| spec.role == Role::Output).unwrap_or("a.out")
    }

    /// The line says which file the output is: a script may name another than lld's default, and `-` is the standard output.
    #[must_use]
    pub fn names_output_file(&self) -> bool {
        self.last_value(|spec| spec.role == Role::Output).is_some_and(|output| output != "-")
    }

    /// The output's path is part of its content: it names the versions' base where no `-soname` does.
    #[must_use]
    pub fn output_holds_its_path(&self) -> bool {
        self.has(&["version-script"]) && !self.has(&["soname", "h"])
    }

    /// lld is asked for something that is no link at all, or that it must see the line unchanged for.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.options().any(|(spec, _)| spec.role == Role::Immediate) || self.runs_its_own_thin_link()
    }

    /// The build runs the thin link itself: kernel 7.2's own mode and Bazel's.
    fn runs_its_own_thin_link(&self) -> bool {
        self.has(INDEX_ONLY) || self.has(&["thinlto-distributor"])
    }

    /// A thin link that is asked for alone, with its indexes beside the modules: `Some` of the list that it is to write,
    /// which may be none. `None` also where something else is asked for that only lld can do.
    #[must_use]
    pub fn index_only(&self) -> Option<Option<&str>> {
        let only_lld = |argument: &Argument| match &argument.kind {
            ArgumentKind::Option(Spec { name, role: Role::Lto(Lto::Refused(_)), .. }, _) => {
                !INDEX_ONLY.contains(name) && !IMPORTS_FILES.contains(name)
            }
            ArgumentKind::Option(spec, _) => spec.role == Role::Immediate,
            ArgumentKind::Unknown(_) => true,
            ArgumentKind::File(_) => false,
        };
        if !self.has(INDEX_ONLY) || self.arguments.iter().any(only_lld) {
            return None;
        }
        let list = self.last_value(|spec| INDEX_ONLY.contains(&spec.name) && spec.name.ends_with('='));
        Some(list.filter(|list| !list.is_empty()))
    }

    /// Lists of imports are wanted beside the indexes.
    #[must_use]
    pub fn emits_imports(&self) -> bool {
        self.has(IMPORTS_FILES)
    }

    /// The kind of output.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        if self.has(&["relocatable", "r"]) {
            return OutputKind::Relocatable;
        }
        let pie = self
            .options()
            .rev()
            .find(|(spec, _)| matches!(spec.name, "pie" | "pic-executable"))
            .is_some_and(|(spec, _)| !spec.negated);
        if pie || self.has(&["shared", "Bshareable"]) { OutputKind::PositionIndependent } else { OutputKind::Static }
    }

    /// The number of backends that the line allows at a time; 0 or `all` is the machine's.
    #[must_use]
    pub fn jobs(&self) -> Option<usize> {
        let of =
            |names: &[&str]| self.last_value(|spec| names.contains(&spec.name)).and_then(|value| value.parse().ok());
        of(&["thinlto-jobs=", "plugin-opt=jobs="]).or_else(|| of(&["threads"])).filter(|jobs| *jobs > 0)
    }

    /// The first argument that keeps the link from being carried, and why.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.arguments.iter().find_map(|argument| {
            let reason = match &argument.kind {
                ArgumentKind::Option(Spec { role: Role::Lto(Lto::Refused(why)), .. }, _) => *why,
                ArgumentKind::Unknown(_) => "thindist does not know this option",
                _ => return None,
            };
            Some(Refusal { option: argument.words.join(" "), reason: reason.to_owned() })
        })
    }

    /// Paths of the files beside the inputs and [`Self::scripts`] that lld reads: lists, profiles.
    pub fn read_files(&self) -> impl Iterator<Item = &str> {
        self.options().filter(|(spec, _)| spec.role == Role::Reads(FileRead::List)).map(|(_, value)| value)
    }

    /// Names of scripts. One that is no file as it stands is searched for in [`Self::search_directories`].
    pub fn scripts(&self) -> impl Iterator<Item = (&Spec, &str)> {
        let is_script = |role| matches!(role, Role::Reads(FileRead::Script | FileRead::OtherScript));
        self.options().filter(move |(spec, _)| is_script(spec.role))
    }

    /// Nothing but the output and diagnostics comes of this link, so that its result can be kept whole.
    #[must_use]
    pub fn has_one_output(&self) -> bool {
        let is_another = |role| matches!(role, Role::Writes(_) | Role::Prints | Role::SelectionReport);
        !self.has_side_files()
            && !self.options().any(|(spec, _)| is_another(spec.role) || spec.name == "thinlto-cache-dir=")
    }

    /// Where lld writes what took how long, if it is asked to: beside the output, if nothing is named.
    #[must_use]
    pub fn time_trace_file(&self) -> Option<String> {
        let last = self.options().rev().find(|(spec, _)| spec.role == Role::Writes(FileWritten::TimeTrace));
        last.map(|(_, file)| if file.is_empty() { format!("{}.time-trace", self.output()) } else { file.to_owned() })
    }

    /// Backends write files beside their objects.
    #[must_use]
    pub fn has_side_files(&self) -> bool {
        self.options().any(|(spec, _)| matches!(spec.role, Role::Lto(Lto::Carried(how)) if how.is_of_side_files()))
    }

    /// The first option that shows names of objects, or may: maps, lists, traces.
    #[must_use]
    pub fn shows_objects(&self) -> Option<&Spec> {
        let shows = |role| matches!(role, Role::Writes(FileWritten::Other) | Role::Prints | Role::SelectionReport);
        self.options().map(|(spec, _)| spec).find(|spec| shows(spec.role))
    }

    /// The files of `--dependency-file`; lld writes the last.
    pub fn dependency_files(&self) -> impl Iterator<Item = &str> {
        let is_one = |spec: &Spec| spec.role == Role::Writes(FileWritten::Dependencies);
        self.options().filter(move |(spec, _)| is_one(spec)).map(|(_, file)| file)
    }

    /// How warnings are to be taken.
    #[must_use]
    pub fn warnings(&self) -> Warnings {
        if self.has(&["no-warnings", "w"]) {
            return Warnings::Silent;
        }
        match self.options().rev().find(|(spec, _)| spec.name == "fatal-warnings") {
            Some((spec, _)) if !spec.negated => Warnings::Fatal,
            _ => Warnings::Shown,
        }
    }

    /// The directories of `-L`, in order.
    #[must_use]
    pub fn search_directories(&self) -> Vec<String> {
        self.options()
            .filter(|(spec, _)| spec.role == Role::State(OnInputs::Directory))
            .map(|(_, directory)| self.in_sysroot(directory))
            .collect()
    }

    /// A path with its leading `=` replaced as lld does.
    #[must_use]
    pub fn in_sysroot(&self, path: &str) -> String {
        path.strip_prefix('=').map_or_else(|| path.to_owned(), |rest| append_path(self.sysroot(), rest))
    }

    /// The last `--sysroot`, or nothing.
    #[must_use]
    pub fn sysroot(&self) -> &str {
        self.last_value(|spec| spec.role == Role::State(OnInputs::Sysroot)).unwrap_or_default()
    }

    /// Native objects with bitcode in them are taken for bitcode.
    #[must_use]
    pub fn reads_fat_objects(&self) -> bool {
        let last = self.options().rev().find(|(spec, _)| matches!(spec.name, "fat-lto-objects" | "no-fat-lto-objects"));
        last.is_some_and(|(spec, _)| spec.name == "fat-lto-objects")
    }

    /// The values of every option with one of these names, in order.
    pub fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.options().filter(|(spec, _)| names.contains(&spec.name)).map(|(_, value)| value)
    }

    /// `-nostdlib`: what scripts say of directories is not heeded.
    #[must_use]
    pub fn leaves_standard_directories_out(&self) -> bool {
        self.options().any(|(spec, _)| spec.role == Role::State(OnInputs::NoScriptDirectories))
    }
}

fn takes_next(spec: Spec) -> bool {
    use options::Shape;
    matches!(spec.shape, Shape::Separate | Shape::JoinedOrSeparate | Shape::Equals)
}

const INDEX_ONLY: &[&str] =
    &["thinlto-index-only", "thinlto-index-only=", "plugin-opt=thinlto-index-only", "plugin-opt=thinlto-index-only="];
const IMPORTS_FILES: &[&str] = &["thinlto-emit-imports-files", "plugin-opt=thinlto-emit-imports-files"];

/// Why a link is left to in-process ThinLTO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} cannot be carried to separate backends: {reason}")]
pub struct Refusal {
    /// The option or input.
    pub option: String,
    /// Why it cannot be carried.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LinkLine {
        LinkLine::parse(&response_file::tokenize(text)).unwrap()
    }

    const KERNEL: &str = "-m elf_x86_64 -mllvm -import-instr-limit=5 -z noexecstack -r -o vmlinux.o -T .tmp_initcalls.lds \
                          --whole-archive vmlinux.a --no-whole-archive --start-group --end-group";

    #[test]
    fn the_kernels_line() {
        let line = line(KERNEL);
        assert_eq!(line.output(), "vmlinux.o");
        assert_eq!(line.output_kind(), OutputKind::Relocatable);
        assert_eq!(line.refusal(), None);
        assert!(line.has_one_output());
        assert_eq!(line.scripts().map(|(_, name)| name).collect::<Vec<_>>(), [".tmp_initcalls.lds"]);
        assert_eq!(line.read_files().count(), 0);
        let [input] = line.inputs().try_into().unwrap();
        assert_eq!(input.name, InputName::Path("vmlinux.a".into()));
        assert!(input.whole_archive);
    }

    #[test]
    fn state_of_inputs() {
        let inputs =
            line("a.o --push-state --whole-archive -Bstatic -lx --pop-state -ly --start-lib b.o --end-lib c.o")
                .inputs();
        let flags: Vec<_> = inputs.iter().map(|input| (input.whole_archive, input.in_lib)).collect();
        assert_eq!(flags, [(false, false), (true, false), (false, false), (false, true), (false, false)]);
        let statics: Vec<_> = inputs
            .iter()
            .filter_map(|input| match &input.name {
                InputName::Library(search) => Some((search.name.as_str(), search.only_static)),
                InputName::Path(_) => None,
            })
            .collect();
        assert_eq!(statics, [("x", true), ("y", false)]);
    }

    #[test]
    fn libraries_are_searched_directory_by_directory() {
        let directories = ["d".to_owned(), "e".to_owned()];
        let search = |name: &str, only_static| LibrarySearch { name: name.into(), only_static };
        assert_eq!(search("x", false).candidates(&directories), ["d/libx.so", "d/libx.a", "e/libx.so", "e/libx.a"]);
        assert_eq!(search("x", true).candidates(&directories), ["d/libx.a", "e/libx.a"]);
        assert_eq!(search(":x.o", true).candidates(&directories), ["d/x.o", "e/x.o"]);
    }

    #[test]
    fn paths_are_appended_as_llvm_does() {
        let check = |path, component, expect: &str| assert_eq!(append_path(path, component), expect);
        check("d", "x.a", "d/x.a");
        check("d/", "x.a", "d/x.a");
        check("d/", "/x.a", "d/x.a");
        check("d", "/x.a", "d/x.a");
        check("", "x.a", "x.a");
        check("", "/x.a", "/x.a");
        let directories = line("--sysroot=s -L=/a -L =b -L $SYSROOT/c -Ld/").search_directories();
        assert_eq!(directories, ["s/a", "s/b", "$SYSROOT/c", "d/"]);
    }

    #[test]
    fn refusals_name_the_option() {
        let refusal = line("-r a.o --lto-emit-asm").refusal().unwrap();
        assert_eq!(refusal.option, "--lto-emit-asm");
        let refusal = line("a.o --lto-frobnicate=3").refusal().unwrap();
        assert_eq!(refusal.option, "--lto-frobnicate=3");
        assert!(line("--opt-remarks-filename out.yml a.o").refusal().is_none());
    }

    #[test]
    fn warnings() {
        assert_eq!(line("a.o").warnings(), Warnings::Shown);
        assert_eq!(line("--fatal-warnings a.o").warnings(), Warnings::Fatal);
        assert_eq!(line("--fatal-warnings --no-fatal-warnings a.o").warnings(), Warnings::Shown);
        assert_eq!(line("--fatal-warnings -w a.o").warnings(), Warnings::Silent);
    }

    #[test]
    fn a_thin_link_alone() {
        assert_eq!(line("-r --thinlto-index-only=list a.o").index_only(), Some(Some("list")));
        assert_eq!(line("-r --thinlto-index-only --thinlto-emit-imports-files a.o").index_only(), Some(None));
        assert_eq!(line("-plugin-opt=thinlto-index-only=l a.o").index_only(), Some(Some("l")));
        assert_eq!(line("-r a.o").index_only(), None);
        // Other places for the indexes, other files, and what nobody knows are lld's.
        for more in ["--thinlto-prefix-replace=a;b", "--lto-obj-path=x.o", "--frobnicate", "--version"] {
            let line = line(&format!("-r --thinlto-index-only=list {more} a.o"));
            assert!(line.index_only().is_none() && line.is_immediate(), "{more}");
        }
    }

    #[test]
    fn a_value_that_is_missing_is_an_error() {
        assert!(LinkLine::parse(&["-o".to_owned()]).is_err());
    }

    #[test]
    fn kinds_of_output() {
        assert_eq!(line("-pie a.o").output_kind(), OutputKind::PositionIndependent);
        assert_eq!(line("-pie -no-pie a.o").output_kind(), OutputKind::Static);
        assert_eq!(line("-shared a.o").output_kind(), OutputKind::PositionIndependent);
        assert_eq!(line("a.o").output_kind(), OutputKind::Static);
        assert_eq!(line("--threads=1 --thinlto-jobs=3").jobs(), Some(3));
        assert_eq!(line("--threads=all").jobs(), None);
    }
}
