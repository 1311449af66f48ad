//! Rules of ARCHITECTURE.md that a compiler does not check: modules of a crate import in one direction, and rooms of the
//! engine and of the core only from rooms before them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Rooms from the ground up, for each crate that has such an order: a room imports from those on its left. What is not named
/// lies beside them all.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "thindist-core",
        &[
            "digest",
            "paths",
            "action_files",
            "bitcode",
            "object",
            "index",
            "import_facts",
            "lld",
            "flags",
            "plan",
            "formats",
        ],
    ),
    ("thindist-exec", &["cancel", "estimate", "store", "limits", "run"]),
    (
        "thindist-engine",
        &[
            "report",
            "failure",
            "environment",
            "settings",
            "stop",
            "parallel",
            "session",
            "inputs",
            "backends",
            "thin",
            "plan",
            "finish",
            "memo",
            "pipeline",
            "dtlto",
            "ways",
            "entrance",
            "steps",
            "both_ways",
            "measure",
            "replay",
        ],
    ),
];

#[test]
fn no_module_imports_from_itself_by_a_detour() {
    let crates = crates();
    assert!(crates.len() > 5, "only {} crates were found", crates.len());
    for directory in crates {
        let graph = Graph::read(&directory);
        assert!(!graph.imports.is_empty(), "{}: no module was found", directory.display());
        if let Some(cycle) = graph.cycle() {
            let steps = cycle.iter().map(|(from, to, path)| format!("  {from} imports {path} from {to}\n"));
            panic!("{}: cut one of these imports:\n{}", directory.display(), steps.collect::<String>());
        }
    }
}

#[test]
fn rooms_import_from_rooms_before_them() {
    for (name, layers) in LAYERS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let rank = |module: &str| layers.iter().position(|layer| module.split("::").next() == Some(layer));
        let graph = Graph::read(&directory);
        for layer in *layers {
            let is_there = graph.imports.keys().any(|module| module.split("::").next() == Some(layer));
            assert!(is_there, "{name} has no room {layer}: correct the list of layers");
        }
        for (from, targets) in &graph.imports {
            for (to, path) in targets {
                if let (Some(here), Some(there)) = (rank(from), rank(to)) {
                    assert!(
                        there <= here,
                        "{name}: {from} imports {path} from {to}, a room above it: move what both need below, or hand it in"
                    );
                }
            }
        }
    }
}

/// What only the program does, with what its crates use instead. The working directory is the process's own, and the program's
/// file is asked of the system: both may be read.
const OF_THE_PROGRAM: &[(&str, &str)] = &[
    ("env::var", "ask the Environment that the program hands in"),
    ("env::set_", "hand it to the program that is started"),
    ("env::temp_dir", "ask the Environment for it"),
    ("tempfile::tempfile()", "ask the Environment for a directory"),
    ("env::args", "take the words as a parameter"),
    ("println!", "say it to the Report"),
    ("print!", "say it to the Report"),
    ("io::stdout", "have the Report pass it on"),
    ("io::stderr", "have the Report pass it on"),
];

#[test]
fn only_the_program_reads_variables_and_prints() {
    for name in ["thindist-core", "thindist-exec", "thindist-remote", "thindist-engine"] {
        let mut modules = BTreeMap::new();
        read_modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &[], &mut modules);
        assert!(modules.len() > 5, "{name}: only {} modules were found", modules.len());
        for (module, Module { text }) in &modules {
            for (taboo, instead) in OF_THE_PROGRAM {
                let line = text.lines().find(|line| line.contains(taboo));
                assert!(line.is_none(), "{name}: {module} has {taboo}: {instead}:\n{}", line.unwrap_or_default());
            }
        }
    }
}

fn crates() -> Vec<PathBuf> {
    let all = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let mut crates: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
    crates.retain(|directory| directory.join("src").is_dir());
    crates.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask"));
    crates.sort();
    crates
}

/// The modules of a crate, and what each imports of the others.
struct Graph {
    /// For each module the modules that it imports from, with the path that it names.
    imports: BTreeMap<String, BTreeMap<String, String>>,
}

/// A module's text without comments and tests.
struct Module {
    text: String,
}

impl Graph {
    fn read(directory: &Path) -> Self {
        let mut modules = BTreeMap::new();
        read_modules(&directory.join("src"), &[], &mut modules);
        let faces = faces(&modules);
        let imports = modules.iter().map(|(name, module)| (name.clone(), targets(name, module, &modules, &faces)));
        Self { imports: imports.collect() }
    }

    /// The shortest way from a module to itself.
    fn cycle(&self) -> Option<Vec<(String, String, String)>> {
        self.imports.keys().filter_map(|start| self.way_back(start)).min_by_key(Vec::len)
    }

    fn way_back(&self, start: &str) -> Option<Vec<(String, String, String)>> {
        let mut reached: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(module) = open.pop_front() {
            for (to, path) in self.imports.get(module)? {
                if to == start {
                    let mut steps = vec![(module.to_owned(), to.clone(), path.clone())];
                    let mut at = module;
                    while at != start {
                        let (from, path) = reached.get(at)?;
                        steps.push(((*from).to_owned(), at.to_owned(), (*path).to_owned()));
                        at = from;
                    }
                    steps.reverse();
                    return Some(steps);
                }
                if !reached.contains_key(to.as_str()) {
                    reached.insert(to, (module, path));
                    open.push_back(to);
                }
            }
        }
        None
    }
}

fn read_modules(directory: &Path, above: &[String], modules: &mut BTreeMap<String, Module>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            read_modules(&path, &[above, &[stem]].concat(), modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !stem.ends_with("_tests") {
            let name = match stem.as_str() {
                "mod" | "lib" | "main" => above.join("::"),
                _ => [above, &[stem]].concat().join("::"),
            };
            modules.insert(name, Module { text: without_comments_and_tests(&std::fs::read_to_string(&path).unwrap()) });
        }
    }
}

fn without_comments_and_tests(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// What `pub use` gives out: the module that has it by the module that gives it and the name.
fn faces(modules: &BTreeMap<String, Module>) -> BTreeMap<(String, String), String> {
    let mut faces = BTreeMap::new();
    for (name, module) in modules {
        for (_, path) in uses(&module.text).into_iter().filter(|(is_public, _)| *is_public) {
            if let Some((target, rest)) = resolve(name, &path, modules) {
                let shown = rest.first().cloned().unwrap_or_else(|| path.rsplit("::").next().unwrap().to_owned());
                faces.insert((name.clone(), shown), target);
            }
        }
    }
    faces
}

/// The modules that one imports from. What it shows of others without using it is no import.
fn targets(
    name: &str,
    module: &Module,
    modules: &BTreeMap<String, Module>,
    faces: &BTreeMap<(String, String), String>,
) -> BTreeMap<String, String> {
    let used = uses(&module.text).into_iter().filter(|(is_public, _)| !is_public).map(|(_, path)| path);
    let mut targets = BTreeMap::new();
    for path in used.chain(inline_paths(&module.text)) {
        let Some((mut target, rest)) = resolve(name, &path, modules) else { continue };
        let mut seen = BTreeSet::new();
        while let Some(behind) = rest.first().and_then(|item| faces.get(&(target.clone(), item.clone())))
            && seen.insert(target.clone())
        {
            target.clone_from(behind);
        }
        if target != name && !target.is_empty() {
            targets.entry(target).or_insert(path);
        }
    }
    targets
}

/// The module that a path leads into, and the rest of it; `None` if it leads out of the crate.
fn resolve(from: &str, path: &str, modules: &BTreeMap<String, Module>) -> Option<(String, Vec<String>)> {
    let mut words: VecDeque<&str> = path.split("::").collect();
    let mut base: Vec<&str> = from.split("::").filter(|word| !word.is_empty()).collect();
    match *words.front()? {
        "crate" => {
            base.clear();
            words.pop_front();
        }
        "self" => drop(words.pop_front()),
        "super" => {
            while words.front() == Some(&"super") {
                words.pop_front();
                base.pop()?;
            }
        }
        child => {
            let is_child = modules.contains_key(&[base.as_slice(), &[child]].concat().join("::"));
            is_child.then_some(())?;
        }
    }
    while let Some(word) = words.front() {
        let longer = [base.as_slice(), &[*word]].concat();
        if !modules.contains_key(&longer.join("::")) {
            break;
        }
        base = longer;
        words.pop_front();
    }
    Some((base.join("::"), words.into_iter().map(str::to_owned).collect()))
}

/// The paths of all `use` items, one for each leaf, and whether the item is public.
fn uses(text: &str) -> Vec<(bool, String)> {
    let mut uses = Vec::new();
    for item in use_items(text) {
        let (before, tree) = text[item].split_once("use ").unwrap();
        leaves("", &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut |path| {
            uses.push((before.starts_with("pub"), path));
        });
    }
    uses
}

/// Where `use` items are, their visibility included and the semicolon left out.
fn use_items(text: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = text[line..at].trim_start();
        if before.is_empty() || before.starts_with("pub") {
            items.push(at - before.len()..text[at..].find(';').map_or(text.len(), |end| at + end));
        }
    }
    items
}

fn leaves(before: &str, tree: &str, found: &mut impl FnMut(String)) {
    let Some((head, rest)) = tree.split_once('{') else {
        let path = format!("{before}{}", tree.split(" as ").next().unwrap_or_default().trim());
        found(path.trim_end_matches("::self").to_owned());
        return;
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut start) = (0, 0);
    let before = format!("{before}{}", head.trim());
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let item = inner[start..at].trim();
                if !item.is_empty() {
                    leaves_dyn(&before, item, found);
                }
                start = (at + 1).min(inner.len());
            }
            _ => {}
        }
    }
}

/// A closure cannot be instantiated for its own depth without end.
fn leaves_dyn(before: &str, tree: &str, found: &mut dyn FnMut(String)) {
    leaves(before, tree, &mut |path| found(path));
}

/// Paths in the code itself that begin in this crate.
fn inline_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let items = use_items(text);
    for (at, _) in text.match_indices("::") {
        if items.iter().any(|item| item.contains(&at)) {
            continue;
        }
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let start = text[..at].rfind(|letter| !is_word(letter)).map_or(0, |before| before + 1);
        if text[..start].ends_with("::") || start == at {
            continue;
        }
        let end = text[at..].find(|letter: char| !is_word(letter) && letter != ':').map_or(text.len(), |end| at + end);
        paths.push(text[start..end].trim_end_matches(':').to_owned());
    }
    paths
}

#[test]
fn paths_are_read() {
    let text = "use crate::a::{self, b::{C, D}};\npub use e::F;\nfn f() { super::g::h(); i::j::k() }";
    let all: Vec<String> = uses(text).into_iter().map(|(_, path)| path).collect();
    assert_eq!(all, ["crate::a", "crate::a::b::C", "crate::a::b::D", "e::F"]);
    assert!(inline_paths(text).contains(&"super::g::h".to_owned()));
    assert!(inline_paths(text).contains(&"i::j::k".to_owned()));
    assert!(!inline_paths(text).contains(&"e::F".to_owned()));
}

#[test]
fn a_cycle_is_found_and_named() {
    let module = |text: &str| Module { text: text.to_owned() };
    let modules = BTreeMap::from([
        (String::new(), module("mod a;\nmod b;\npub use b::B;")),
        ("a".to_owned(), module("use crate::B;")),
        ("b".to_owned(), module("use super::a::A;")),
    ]);
    let faces = faces(&modules);
    let imports = modules.iter().map(|(name, module)| (name.clone(), targets(name, module, &modules, &faces)));
    let cycle = Graph { imports: imports.collect() }.cycle().unwrap();
    assert_eq!(cycle.len(), 2);
    assert_eq!(cycle[0], ("a".to_owned(), "b".to_owned(), "crate::B".to_owned()));
}
