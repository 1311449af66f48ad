//! One backend compilation as a self-contained, content-addressed action.
//!
//! An [`Action`] knows nothing of linking: it is a compiler, arguments and inputs under canonical names. Its key comes
//! from the one traversal in [`Action::visit`], which also feeds the explanation; so an explanation cannot omit what
//! the key includes. docs/cache-key.md gives the format.

use crate::action_files::{LINK_FILE_NAMES, SIDE_OUTPUTS, THEN};
use crate::digest::{Digest, Hasher};
use crate::import_facts::Part;
use std::collections::BTreeSet;

/// Raised whenever the meaning of a field or the way a backend is run changes, so that old results are never met.
const KEY_VERSION: u32 = 2;

/// What is in the key of an import: the module; what is taken of it; that and the module, for its debug information; or without.
const WHOLE: u64 = 0;
const PART: u64 = 1;
const PART_AND_DEBUG: u64 = 2;
const PART_WITHOUT_DEBUG: u64 = 3;

/// Options that make debug information count otherwise, by how they begin: without optimisation what is imported stays to the
/// end, with its description; profiles are matched by lines; remarks tell them; and what cc1 is told can be anything.
const UNLIKE_USUAL: [&str; 8] =
    ["-O0", "-fprofile", "-fpseudo-probe", "-fauto-profile", "-fsave-optimization", "-Rpass", "-g", "-Xclang"];

/// Options of LLVM that make nothing of debug information, by how they begin. There are some hundred, and any other may.
const HARMLESS_LLVM_OPTIONS: [&str; 3] =
    ["import-instr-limit=", "use-source-filename-for-promoted-locals", "always-rename-promoted-locals"];

/// A module that a backend reads besides its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedModule {
    /// The digest of the module's bitcode, which is what the action root holds.
    pub bitcode: Digest,
    /// What the backend takes out of it, where that is known ([`crate::import_facts`]); then this is in the key, and two modules
    /// that give the same are the same import. So is the module's digest, if there is debug information of which the object may
    /// show something.
    pub part: Option<Part>,
}

impl ImportedModule {
    fn brings_debug_information(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.debug.is_some())
    }
}

/// A file that the code itself names, as `.incbin` does, or a [`LinkFile`](crate::action_files::LinkFile): found, hashed and shipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtraInput {
    /// The path exactly as the code names it, relative to the directory that the linker ran in, or absolute; or the name of
    /// a [`LinkFile`](crate::action_files::LinkFile).
    pub path: String,
    /// The digest of the file's content.
    pub digest: Digest,
}

/// Everything that one backend compilation's native object depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The digest of the compiler's identity: the binary's content and that of each library it loads.
    pub compiler: Digest,
    /// The arguments after the compiler's name. Canonical: they name files of the action root only.
    pub arguments: Vec<String>,
    /// The own bitcode, [`MODULE_NAME`] in the root.
    pub module: Digest,
    /// The individual index with canonical identifiers, [`INDEX_NAME`] in the root.
    pub index: Digest,
    /// The imported modules by rank; each is [`import_name`] of its position in the root.
    pub imports: Vec<ImportedModule>,
    /// Declared extra inputs, sorted.
    pub extra_inputs: Vec<ExtraInput>,
    /// How many directories below the root the compiler runs, so that `..` in an extra input stays inside it.
    pub working_directory_depth: u32,
    /// `e_machine` of the native object, from the module's triple; the executor checks it.
    pub elf_machine: u16,
}

/// Receives each field of an action, in order.
pub trait ActionVisitor {
    /// One field: what it is called and its bytes.
    fn field(&mut self, name: &str, value: FieldValue<'_>);
}

/// The value of one field of an action.
#[derive(Debug, Clone, Copy)]
pub enum FieldValue<'a> {
    /// A number, or the length of the list whose elements follow.
    Number(u64),
    /// Text such as an argument or a path.
    Text(&'a str),
    /// A blob by its digest.
    Blob(&'a Digest),
}

impl Action {
    /// Shows every field to `visitor`. The key and the explanation both come from here.
    pub fn visit(&self, visitor: &mut impl ActionVisitor) {
        self.visit_showing(&|_| true, visitor);
    }

    /// The same, with the debug information only of those imports, by rank, of which `shows` says that the object shows some.
    fn visit_showing(&self, shows: &dyn Fn(usize) -> bool, visitor: &mut impl ActionVisitor) {
        // Taken apart, so that a new field does not compile before it is here.
        let Self { compiler, arguments, module, index, imports, extra_inputs, working_directory_depth, elf_machine } =
            self;
        visitor.field("key version", FieldValue::Number(u64::from(KEY_VERSION)));
        visitor.field("compiler", FieldValue::Blob(compiler));
        visitor.field("arguments", FieldValue::Number(arguments.len() as u64));
        for argument in arguments {
            visitor.field("argument", FieldValue::Text(argument));
        }
        visitor.field("module", FieldValue::Blob(module));
        visitor.field("individual index", FieldValue::Blob(index));
        visitor.field("imports", FieldValue::Number(imports.len() as u64));
        for (rank, ImportedModule { bitcode, part }) in imports.iter().enumerate() {
            let (kind, taken, debug) = match part {
                None => (WHOLE, bitcode, None),
                Some(Part { digest, debug: None }) => (PART, digest, None),
                Some(Part { digest, debug: Some(_) }) if shows(rank) => (PART_AND_DEBUG, digest, Some(bitcode)),
                Some(Part { digest, debug: Some(_) }) => (PART_WITHOUT_DEBUG, digest, None),
            };
            visitor.field("import in part", FieldValue::Number(kind));
            visitor.field("import", FieldValue::Blob(taken));
            if let Some(debug) = debug {
                visitor.field("its debug information", FieldValue::Blob(debug));
            }
        }
        visitor.field("extra inputs", FieldValue::Number(extra_inputs.len() as u64));
        for ExtraInput { path, digest } in extra_inputs {
            visitor.field("extra input", FieldValue::Text(path));
            visitor.field("its content", FieldValue::Blob(digest));
        }
        visitor.field("working directory depth", FieldValue::Number(u64::from(*working_directory_depth)));
        visitor.field("ELF machine", FieldValue::Number(u64::from(*elf_machine)));
    }

    /// The arguments of each run of the compiler, one after the other: of one or, where optimisation and code generation have
    /// different levels, of two.
    pub fn runs(&self) -> impl Iterator<Item = &[String]> {
        self.arguments.split(|argument| argument == THEN)
    }

    /// The files that it makes beside the native object.
    pub fn side_outputs(&self) -> impl Iterator<Item = &'static str> {
        SIDE_OUTPUTS.into_iter().filter(|name| self.arguments.iter().any(|argument| argument == name))
    }

    /// The action's key in the action cache.
    #[must_use]
    pub fn key(&self) -> Digest {
        self.key_showing(&|_| true)
    }

    /// The key of what its code depends on. `None`: that is all that the object depends on, or how it shows debug information
    /// cannot be told.
    #[must_use]
    pub fn code_key(&self) -> Option<Digest> {
        self.can_leave_debug_out().then(|| self.key_showing(&|_| false))
    }

    /// The key where the object shows debug information of these imports and of no other one.
    #[must_use]
    pub fn shown_key(&self, shown: &BTreeSet<usize>) -> Digest {
        self.key_showing(&|rank| shown.contains(&rank))
    }

    fn key_showing(&self, shows: &dyn Fn(usize) -> bool) -> Digest {
        let mut hash = KeyHasher::default();
        self.visit_showing(shows, &mut hash);
        hash.0.finish()
    }

    /// Some import brings debug information, which makes no code and comes into no other file.
    fn can_leave_debug_out(&self) -> bool {
        let Self { arguments, imports, extra_inputs, .. } = self;
        // Profiles are matched by lines.
        let has_profile = extra_inputs.iter().any(|extra| LINK_FILE_NAMES.contains(&extra.path.as_str()));
        let is_plain = |words: &[String]| match words {
            [option, value] if option == "-mllvm" => {
                HARMLESS_LLVM_OPTIONS.iter().any(|name| value.trim_start_matches('-').starts_with(name))
            }
            [option, ..] => !UNLIKE_USUAL.iter().any(|name| option.starts_with(name)),
            [] => true,
        };
        imports.iter().any(ImportedModule::brings_debug_information)
            && !has_profile
            && self.runs().count() == 1
            && self.side_outputs().next().is_none()
            && arguments.iter().any(|argument| argument.starts_with("-O"))
            && arguments.windows(2).chain([arguments.get(arguments.len() - 1..).unwrap_or_default()]).all(is_plain)
    }

    /// One line a field. `thindist explain` compares the same fields of two actions.
    #[must_use]
    pub fn explanation(&self) -> String {
        let mut text = Explanation::default();
        self.visit(&mut text);
        text.0
    }
}

/// Each field is a tag byte, a little-endian length where the value has one, and the value.
#[derive(Default)]
struct KeyHasher(Hasher);

impl ActionVisitor for KeyHasher {
    fn field(&mut self, _name: &str, value: FieldValue<'_>) {
        match value {
            FieldValue::Number(number) => {
                self.0.update(&[0]);
                self.0.update(&number.to_le_bytes());
            }
            FieldValue::Text(text) => {
                self.0.update(&[1]);
                self.0.part(text.as_bytes());
            }
            FieldValue::Blob(digest) => {
                self.0.update(&[2]);
                self.0.update(digest.hash());
                self.0.update(&digest.size().to_le_bytes());
            }
        }
    }
}

#[derive(Default)]
struct Explanation(String);

impl ActionVisitor for Explanation {
    fn field(&mut self, name: &str, value: FieldValue<'_>) {
        use std::fmt::Write as _;
        let written = match value {
            FieldValue::Number(number) => writeln!(self.0, "{name}: {number}"),
            FieldValue::Text(text) => writeln!(self.0, "{name}: {text}"),
            FieldValue::Blob(digest) => writeln!(self.0, "{name}: {digest}"),
        };
        // Writing to a String cannot fail.
        let _ = written;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import_facts::Traces;

    fn part(text: &[u8]) -> Option<Part> {
        Some(Part { digest: Digest::of(text), debug: None })
    }

    /// The sample with debug information in what is imported in part.
    fn with_debug() -> Action {
        let mut action = sample();
        action.extra_inputs.clear();
        let traces = Traces { unit: "b.c".to_owned(), declared: BTreeSet::new() };
        action.imports[1].part.as_mut().unwrap().debug = Some(traces);
        action
    }

    fn sample() -> Action {
        Action {
            compiler: Digest::of(b"clang"),
            arguments: vec!["-O2".into(), "-c".into()],
            module: Digest::of(b"module"),
            index: Digest::of(b"index"),
            imports: vec![
                ImportedModule { bitcode: Digest::of(b"imported"), part: None },
                ImportedModule { bitcode: Digest::of(b"another"), part: part(b"a part") },
            ],
            extra_inputs: vec![ExtraInput { path: "kernel/config_data.gz".into(), digest: Digest::of(b"config") }],
            working_directory_depth: 0,
            elf_machine: 62,
        }
    }

    /// Pins the format: a change here is a change of KEY_VERSION.
    #[test]
    fn golden_key() {
        assert_eq!(sample().key().hex(), "fc9ddd3964cc1176f0a8b985ef0cc0a04ddc2aefd8eecff82432ef923c81f0bb");
    }

    type Flip = fn(&mut Action);

    /// A change of any one field is a change of the key.
    const FLIPS: &[(&str, Flip)] = &[
        ("compiler", |a| a.compiler = Digest::of(b"other clang")),
        ("an argument", |a| a.arguments[0] = "-O3".into()),
        ("one more argument", |a| a.arguments.push(String::new())),
        ("arguments joined", |a| a.arguments = vec!["-O2-c".into()]),
        ("arguments swapped", |a| a.arguments.swap(0, 1)),
        ("module", |a| a.module = Digest::of(b"modulf")),
        ("index", |a| a.index = Digest::of(b"indey")),
        ("import", |a| a.imports[0].bitcode = Digest::of(b"importee")),
        ("no import", |a| a.imports.clear()),
        ("part of an import", |a| a.imports[1].part = part(b"b part")),
        ("a whole import of a part's digest", |a| {
            a.imports[1] = ImportedModule { bitcode: Digest::of(b"a part"), part: None };
        }),
        ("debug information of an import", |a| *a = Action { extra_inputs: a.extra_inputs.clone(), ..with_debug() }),
        ("imports swapped", |a| a.imports.swap(0, 1)),
        ("extra input's path", |a| a.extra_inputs[0].path.push('x')),
        ("extra input's content", |a| a.extra_inputs[0].digest = Digest::of(b"confih")),
        ("no extra input", |a| a.extra_inputs.clear()),
        ("working directory", |a| a.working_directory_depth = 1),
        ("machine", |a| a.elf_machine = 183),
    ];

    #[test]
    fn every_field_is_in_the_key_and_in_the_explanation() {
        let mut keys = std::collections::BTreeMap::from([(sample().key(), "as it is")]);
        let mut texts = std::collections::BTreeSet::from([sample().explanation()]);
        for (what, flip) in FLIPS {
            let mut action = sample();
            flip(&mut action);
            assert_eq!(keys.insert(action.key(), what), None, "{what} has the key of another action");
            assert!(texts.insert(action.explanation()), "{what} does not show in the explanation");
        }
    }

    /// Two modules of which a backend takes the same are one import.
    #[test]
    fn what_is_not_taken_is_not_in_the_key() {
        let mut action = sample();
        action.imports[1].bitcode = Digest::of(b"another with a function more");
        assert_eq!(action.key(), sample().key());
    }

    #[test]
    fn debug_information_counts_where_it_shows() {
        let edited = |bitcode: &[u8]| {
            let mut action = with_debug();
            action.imports[1].bitcode = Digest::of(bitcode);
            action
        };
        let (one, other) = (edited(b"one"), edited(b"other"));
        let (nowhere, there) = (BTreeSet::new(), BTreeSet::from([1]));
        assert_ne!(one.key(), other.key());
        assert_eq!(one.shown_key(&there), one.key());
        assert_eq!(one.shown_key(&nowhere), other.shown_key(&nowhere));
        assert_eq!(one.code_key(), Some(one.shown_key(&nowhere)));
        assert_eq!(sample().code_key(), None, "there is none");
    }

    #[test]
    fn debug_information_counts_where_more_depends_on_it() {
        let with = |change: &dyn Fn(&mut Action)| {
            let mut action = with_debug();
            change(&mut action);
            action.code_key().is_some()
        };
        let arguments =
            |words: &[&str]| with(&|action| action.arguments = words.iter().map(|&word| word.into()).collect());
        assert!(arguments(&["-O2", "-mllvm", "-import-instr-limit=5", "-c"]));
        assert!(!arguments(&["-O2", "-mllvm", "-debug-info-correlate", "-c"]));
        assert!(!arguments(&["-O0", "-c"]));
        assert!(!arguments(&["-O2", "-c", crate::action_files::DWO_NAME]));
        let profile = ExtraInput { path: "sample-profile".into(), digest: Digest::of(b"profile") };
        assert!(!with(&|action| action.extra_inputs.push(profile.clone())));
    }
}
