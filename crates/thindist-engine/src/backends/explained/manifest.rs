//! What an action depends on, as text, and where two of them differ.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::plan::action::{Action, ActionVisitor, FieldValue};

/// The fields of one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The digest of the action, in hexadecimal.
    pub key: String,
    /// In the traversal's order.
    fields: Vec<(String, String)>,
    /// The imported modules, by rank.
    imports: Vec<String>,
    /// What it would depend on if promoted names were stable; `None` if they are, or if that cannot be said.
    pub stable: Option<Stable>,
}

/// What there would be in the place of what holds hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stable {
    /// Of the individual index.
    pub index: String,
    /// Of each module that is imported whole, by name.
    pub imports: BTreeMap<String, String>,
}

/// What counts of an imported module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken<'a> {
    /// What is taken out of it.
    Part,
    /// The whole, because of the hash in promoted names; under stable names this.
    Described(&'a str),
    /// The whole, under any names.
    Whole,
}

/// What an input is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A word of the compiler's command line.
    Argument,
    /// The module's own bitcode.
    Module,
    /// The individual index of the module.
    Index,
    /// What is taken of another module.
    Import(String),
    /// Debug information of another module, of which something is taken.
    DebugInformation(String),
    /// A file that assembly or the line names.
    File(String),
    /// By the traversal's own name.
    Other(String),
}

/// An input that is not the same in two actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The input that differs.
    pub input: Input,
    /// `None`: the action has no such input.
    pub old: Option<String>,
    /// The value in the later action; `None`: that action has no such input.
    pub new: Option<String>,
}

impl Manifest {
    /// Records the fields of `action`; `imports` names its imported modules, by rank.
    pub fn of(action: &Action, imports: Vec<String>, stable: Option<Stable>) -> Self {
        let mut fields = Fields::default();
        action.visit(&mut fields);
        Self { key: action.key().hex(), fields: fields.0, imports, stable }
    }

    fn arguments(&self) -> Vec<&str> {
        self.fields.iter().filter(|(name, _)| name == "argument").map(|(_, value)| value.as_str()).collect()
    }

    /// Everything but the arguments, in order. Numbers of things are not told: the things are.
    fn inputs(&self) -> Vec<(Input, &str)> {
        let (mut imports, mut import, mut file) = (self.imports.iter(), "", "");
        let mut inputs = Vec::new();
        for (name, value) in &self.fields {
            let input = match name.as_str() {
                "arguments" | "argument" | "imports" | "import in part" | "extra inputs" => continue,
                "module" => Input::Module,
                "individual index" => Input::Index,
                "import" => {
                    import = imports.next().map_or("", String::as_str);
                    Input::Import(import.to_owned())
                }
                "its debug information" => Input::DebugInformation(import.to_owned()),
                "extra input" => {
                    file = value;
                    continue;
                }
                "its content" => Input::File(file.to_owned()),
                other => Input::Other(other.to_owned()),
            };
            inputs.push((input, value.as_str()));
        }
        inputs
    }

    /// What differs from `old`, in the traversal's order; the index last, as it follows from the others most often.
    pub fn differences(&self, old: &Self) -> Vec<Difference> {
        let mut found = arguments(&old.arguments(), &self.arguments());
        let (before, now) = (old.inputs(), self.inputs());
        let olds: BTreeMap<&Input, &str> = before.iter().map(|(input, value)| (input, *value)).collect();
        let news: BTreeSet<&Input> = now.iter().map(|(input, _)| input).collect();
        let changed = now.iter().filter_map(|(input, value)| match olds.get(input) {
            Some(old) if old == value => None,
            old => Some(difference(input, old.copied(), Some(value))),
        });
        let gone = before.iter().filter(|(input, _)| !news.contains(input));
        found.extend(changed.chain(gone.map(|(input, value)| difference(input, Some(value), None))));
        if found.is_empty() && self.key != old.key {
            found.extend(order(&old.fields, &self.fields, &old.imports, &self.imports));
        }
        found.sort_by_key(|difference| difference.input == Input::Index);
        found
    }

    /// How the module of this name is imported.
    pub fn taken(&self, import: &str) -> Taken<'_> {
        let parts = self.fields.iter().filter(|(name, _)| name == "import in part");
        let mut parts = self.imports.iter().zip(parts);
        let is_part = parts.any(|(name, (_, in_part))| name == import && in_part != "0");
        match self.stable.as_ref().and_then(|stable| stable.imports.get(import)) {
            _ if is_part => Taken::Part,
            Some(digest) => Taken::Described(digest),
            None => Taken::Whole,
        }
    }

    /// With stable names this would be the action that `old` would be.
    pub fn is_spared_by_stable_names(&self, old: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (&self.stable, &old.stable) else { return false };
        let is_spared = |difference: &Difference| match &difference.input {
            Input::Index => ours.index == theirs.index,
            Input::Import(name) => {
                ours.imports.get(name).is_some_and(|digest| theirs.imports.get(name) == Some(digest))
            }
            _ => false,
        };
        let differences = self.differences(old);
        !differences.is_empty() && differences.iter().all(is_spared)
    }
}

fn difference(input: &Input, old: Option<&str>, new: Option<&str>) -> Difference {
    Difference { input: input.clone(), old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

/// Arguments that only one side has, in pairs; if there are none, the first that stands elsewhere.
fn arguments(old: &[&str], new: &[&str]) -> Vec<Difference> {
    let (gone, added) = (only_in(old, new), only_in(new, old));
    if gone.is_empty() && added.is_empty() {
        let moved = old.iter().zip(new).find(|(old, new)| old != new);
        return moved.map(|(old, new)| difference(&Input::Argument, Some(old), Some(new))).into_iter().collect();
    }
    let pairs = 0..gone.len().max(added.len());
    pairs.map(|at| difference(&Input::Argument, gone.get(at).copied(), added.get(at).copied())).collect()
}

/// Those of `these` that are not in `others`, as often as they are missing there.
fn only_in<'a>(these: &[&'a str], others: &[&str]) -> Vec<&'a str> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    others.iter().for_each(|other| *left.entry(other).or_default() += 1);
    let is_missing = |word: &&&str| match left.get_mut(**word) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    these.iter().filter(is_missing).copied().collect()
}

/// The same inputs in another order.
fn order(old: &[(String, String)], new: &[(String, String)], before: &[String], now: &[String]) -> Option<Difference> {
    if let Some((old, new)) = before.iter().zip(now).find(|(old, new)| old != new) {
        return Some(difference(&Input::Other("order of imports".to_owned()), Some(old), Some(new)));
    }
    let ((name, old), (_, new)) = old.iter().zip(new).find(|(old, new)| old != new)?;
    Some(difference(&Input::Other(name.clone()), Some(old), Some(new)))
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl ActionVisitor for Fields {
    fn field(&mut self, name: &str, value: FieldValue<'_>) {
        let value = match value {
            FieldValue::Number(number) => number.to_string(),
            FieldValue::Text(text) => text.to_owned(),
            FieldValue::Blob(digest) => digest.to_string(),
        };
        self.0.push((name.to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thindist_core::digest::Digest;
    use thindist_core::import_facts::{Part, Traces};
    use thindist_core::plan::action::{ExtraInput, ImportedModule};

    fn action() -> Action {
        let import = |text: &[u8]| ImportedModule { bitcode: Digest::of(text), part: None };
        Action {
            compiler: Digest::of(b"clang"),
            arguments: ["-O2", "-c", "-O2"].map(str::to_owned).to_vec(),
            module: Digest::of(b"module"),
            index: Digest::of(b"index"),
            imports: vec![import(b"one"), import(b"two")],
            extra_inputs: vec![ExtraInput { path: "data".into(), digest: Digest::of(b"data") }],
            working_directory_depth: 0,
            elf_machine: 62,
        }
    }

    fn part(digest: Digest) -> Option<Part> {
        Some(Part { digest, debug: None })
    }

    fn part_with_debug(digest: Digest) -> Option<Part> {
        let traces = Traces { unit: "one.c".into(), declared: BTreeSet::new() };
        Some(Part { digest, debug: Some(traces) })
    }

    #[test]
    fn debug_information_of_an_import_is_told_apart() {
        let with = |bitcode: &[u8]| {
            manifest(|action| {
                action.imports[0].part = part_with_debug(Digest::of(b"part"));
                action.imports[0].bitcode = Digest::of(bitcode);
            })
        };
        let found = with(b"now").differences(&with(b"before"));
        let inputs: Vec<Input> = found.into_iter().map(|difference| difference.input).collect();
        assert_eq!(inputs, [Input::DebugInformation("one.o".into())]);
        assert_eq!(with(b"now").taken("one.o"), Taken::Part);
    }

    fn manifest(change: impl FnOnce(&mut Action)) -> Manifest {
        let mut action = action();
        change(&mut action);
        Manifest::of(&action, ["one.o", "two.o", "three.o"].iter().map(ToString::to_string).collect(), None)
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Action), expect: &[Input]) {
        let found = manifest(change).differences(&manifest(|_| {}));
        assert_eq!(found.iter().map(|difference| difference.input.clone()).collect::<Vec<_>>(), expect, "{found:?}");
    }

    #[test]
    fn every_change_of_a_key_is_a_difference() {
        check(|_| {}, &[]);
        check(|action| action.compiler = Digest::of(b"other"), &[Input::Other("compiler".into())]);
        check(|action| action.arguments[0] = "-O3".into(), &[Input::Argument]);
        check(|action| action.arguments.swap(0, 1), &[Input::Argument]);
        check(|action| action.module = Digest::of(b"other"), &[Input::Module]);
        check(|action| action.imports[1].bitcode = Digest::of(b"other"), &[Input::Import("two.o".into())]);
        check(|action| action.imports.truncate(1), &[Input::Import("two.o".into())]);
        check(|action| action.imports[0].part = part(Digest::of(b"one")), &[Input::Other("import in part".into())]);
        check(|action| action.extra_inputs[0].digest = Digest::of(b"other"), &[Input::File("data".into())]);
        check(|action| action.extra_inputs.clear(), &[Input::File("data".into())]);
        check(|action| action.working_directory_depth = 1, &[Input::Other("working directory depth".into())]);
        check(|action| action.elf_machine = 183, &[Input::Other("ELF machine".into())]);
    }

    #[test]
    fn what_follows_from_another_comes_last() {
        let change = |action: &mut Action| {
            action.index = Digest::of(b"other");
            action.imports[0].bitcode = Digest::of(b"other");
        };
        check(change, &[Input::Import("one.o".into()), Input::Index]);
    }

    #[test]
    fn values_are_those_of_both_sides() {
        let new = manifest(|action| action.arguments = vec!["-O3".into(), "-c".into()]);
        let found = new.differences(&manifest(|_| {}));
        let values: Vec<_> = found.iter().map(|one| (one.old.as_deref(), one.new.as_deref())).collect();
        assert_eq!(values, [(Some("-O2"), Some("-O3")), (Some("-O2"), None)]);
    }

    #[test]
    fn stable_names_spare_what_only_hashes_tell_apart() {
        let stable = |one: &str| {
            let imports = BTreeMap::from([("one.o".to_owned(), one.to_owned())]);
            Some(Stable { index: "i".to_owned(), imports })
        };
        let change = |action: &mut Action| {
            action.index = Digest::of(b"other");
            action.imports[0].bitcode = Digest::of(b"other");
        };
        let old = Manifest { stable: stable("same"), ..manifest(|_| {}) };
        let new = Manifest { stable: stable("same"), ..manifest(change) };
        assert!(new.is_spared_by_stable_names(&old));
        assert!(!Manifest { stable: stable("other"), ..new.clone() }.is_spared_by_stable_names(&old));
        assert!(!Manifest { stable: None, ..new.clone() }.is_spared_by_stable_names(&old));
        let edited = |action: &mut Action| action.module = Digest::of(b"other");
        assert!(!Manifest { stable: stable("same"), ..manifest(edited) }.is_spared_by_stable_names(&old));
    }
}
