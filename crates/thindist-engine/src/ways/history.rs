//! What is remembered of the last link of an output: the content of each module, its importers, and its cost.
//!
//! All of it may be lost. It decides which way a link takes, and whether lld's private cache may answer; never what an object is.

use crate::failure::io;
use crate::inputs::content::Place;
use crate::inputs::survey::Survey;
use crate::session::workspace::{InputDigests, Session};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use thindist_core::digest::{Digest, Hasher};
use thindist_exec::available_kib;

/// Under which a history is remembered. Raised whenever its meaning changes.
const KIND: &str = "link-history-1";

/// Modules of fewer bytes than this on average compile in a few milliseconds: planning and storing them would take a tenth of that
/// and more, and lld's own cache does as well.
const WORTH_HARVESTING: u64 = 8 << 10;
/// A link of no more modules than this is harvested whatever their size: it takes milliseconds.
pub(super) const FEW: usize = 200;

/// The last link of an output.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    /// Each module that the line offers, by its name without offsets.
    modules: BTreeMap<String, Module>,
    /// What was under which name since lld's private cache was empty: hexadecimal digests.
    seen: BTreeMap<String, String>,
    /// Files that assembly names, and which are in lld's objects without being in its keys.
    pub(crate) named_files: Vec<PathBuf>,
    /// Processor time of the last link in-process that compiled everything.
    pub(crate) cold_cpu_ms: u64,
    /// The memory of lld in that link.
    pub(crate) cold_rss_kib: u64,
    /// Its native objects are in our stores.
    pub(crate) is_stored: bool,
    /// lld has shown files of its private cache where it would have shown others without one.
    #[serde(default)]
    pub(crate) shows_cache: bool,
    /// It had warnings that are of no known module.
    pub(crate) spoke: bool,
    /// What lld said when it compiled modules whose objects its private cache has now.
    pub(crate) said: BTreeMap<String, Said>,
}

/// Warnings of one module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Said {
    /// lld's key.
    pub(crate) key: String,
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Module {
    digest: String,
    size: u64,
    /// Names of the modules that import from it.
    importers: Vec<String>,
    /// lld's private cache has nothing for it: its last object was made elsewhere.
    is_cold: bool,
}

/// The modules of a link as they are now: content and size by name.
#[derive(Debug)]
pub(crate) struct Now {
    modules: BTreeMap<String, (String, u64)>,
    /// The name of each identifier that is not its own.
    names: BTreeMap<String, String>,
    /// Two modules have one name, or one content: lld's key would not tell them apart.
    is_ambiguous: bool,
}

/// What an edit means for lld.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Modules that are new or have another content.
    pub(crate) changed: BTreeSet<String>,
    /// Modules that lld compiles without their having changed.
    pub(crate) repeated: BTreeSet<String>,
}

impl Changes {
    /// lld compiles this module.
    pub(crate) fn has(&self, module: &str) -> bool {
        self.changed.contains(module) || self.repeated.contains(module)
    }
}

impl Now {
    /// Members of archives are read, which the digests of files do not cover.
    pub(crate) fn of(survey: &Survey, inputs: &InputDigests) -> crate::failure::Result<Self> {
        let bitcode = survey.bitcode();
        let places = bitcode.iter().map(|(identifier, (_, place))| (*identifier, place));
        let mut now = Self { modules: BTreeMap::new(), names: names(places), is_ambiguous: false };
        let mut contents = BTreeSet::new();
        for (identifier, (_, place)) in &bitcode {
            let (digest, size) = match place {
                Place::File(path) => match inputs.get(path) {
                    Some((digest, stamp)) => (*digest, stamp.size),
                    None => return Err(io("hash", path, &std::io::ErrorKind::NotFound.into())),
                },
                Place::Part { .. } => {
                    let bytes = place.read()?;
                    (Digest::of(&bytes), bytes.len() as u64)
                }
            };
            now.is_ambiguous |= !contents.insert(digest);
            now.is_ambiguous |= now.modules.insert(now.name(identifier), (digest.hex(), size)).is_some();
        }
        Ok(now)
    }

    /// A module's name: its identifier without what moves when another module grows.
    pub(crate) fn name(&self, identifier: &str) -> String {
        self.names.get(identifier).cloned().unwrap_or_else(|| identifier.to_owned())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.modules.values().map(|(_, size)| size).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    /// What is done for each takes longer than compiling it.
    pub(super) fn is_of_many_small(&self) -> bool {
        self.len() > FEW && self.bytes() / (self.len().max(1) as u64) < WORTH_HARVESTING
    }
}

/// Files by their paths, members of one name in one archive by their order. What is its own name is left out.
fn names<'a>(places: impl Iterator<Item = (&'a str, &'a Place)>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut members: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (identifier, place) in places {
        match place {
            Place::File(path) => {
                let path = path.to_string_lossy();
                if path != identifier {
                    names.insert(identifier.to_owned(), path.into_owned());
                }
            }
            Place::Part { .. } => {
                let (member, offset) = member_and_offset(identifier);
                members.entry(member).or_default().push((offset, identifier));
            }
        }
    }
    for (member, mut identifiers) in members {
        identifiers.sort_unstable();
        let numbered = identifiers.into_iter().enumerate();
        names.extend(numbered.map(|(number, (_, identifier))| (identifier.to_owned(), format!("{member}#{number}"))));
    }
    names
}

/// The parts of an identifier of the form `archive(member at offset)`.
fn member_and_offset(identifier: &str) -> (&str, u64) {
    let parts = identifier.strip_suffix(')').and_then(|rest| rest.rsplit_once(" at "));
    parts.and_then(|(member, offset)| Some((member, offset.parse().ok()?))).unwrap_or((identifier, 0))
}

/// An output is its path: what is linked elsewhere is another link.
pub(crate) fn key(session: &Session) -> Digest {
    let mut hasher = Hasher::default();
    hasher.part(std::path::absolute(session.line.output()).unwrap_or_default().as_os_str().as_encoded_bytes());
    hasher.part(std::env::current_dir().unwrap_or_default().as_os_str().as_encoded_bytes());
    hasher.finish()
}

impl History {
    pub(crate) fn load(session: &Session) -> Option<Self> {
        serde_json::from_slice(&session.workspace.state.facts(KIND, &key(session))?).ok()
    }

    pub(crate) fn store(&self, session: &Session) {
        if let Ok(bytes) = serde_json::to_vec(self) {
            session.workspace.state.remember_facts(KIND, &[(key(session), bytes)]);
        }
    }

    /// Nothing is known of an earlier link.
    pub(crate) fn is_new(&self) -> bool {
        self.modules.is_empty()
    }

    pub(crate) fn changes(&self, now: &Now) -> Changes {
        let same = |name: &String, digest: &String| self.modules.get(name).is_some_and(|known| known.digest == *digest);
        let changed: BTreeSet<String> = now
            .modules
            .iter()
            .filter(|(name, (digest, _))| !same(name, digest))
            .map(|(name, _)| name.clone())
            .collect();
        let gone = self.modules.keys().filter(|name| !now.modules.contains_key(*name));
        let moved = changed.iter().chain(gone).filter_map(|name| self.modules.get(name));
        let mut repeated: BTreeSet<String> = moved.flat_map(|module| module.importers.iter().cloned()).collect();
        repeated.extend(self.modules.iter().filter(|(_, module)| module.is_cold).map(|(name, _)| name.clone()));
        repeated.retain(|name| now.modules.contains_key(name) && !changed.contains(name));
        Changes { changed, repeated }
    }

    /// Each module that lld compiles without its having changed, with those of the changed ones that it imports from.
    pub(super) fn reasons(&self, changes: &Changes) -> Vec<(String, Vec<String>)> {
        let imports_from = |name: &String| {
            let known = |from: &&String| self.modules.get(*from).is_some_and(|module| module.importers.contains(name));
            changes.changed.iter().filter(known).cloned().collect()
        };
        changes.repeated.iter().map(|name| (name.clone(), imports_from(name))).collect()
    }

    /// lld's keys have the content of modules and not their names, in whose order imports are linked in. A content that has
    /// moved to another name could be answered with an object of another order of symbols.
    pub(crate) fn has_moved(&self, now: &Now) -> bool {
        now.is_ambiguous
            || now.modules.iter().any(|(name, (digest, _))| self.seen.get(digest).is_some_and(|known| known != name))
    }

    /// Processor time that lld would take for these modules, if that goes by their size.
    pub(crate) fn estimate_ms<'a>(&self, now: &Now, modules: impl Iterator<Item = &'a String>) -> u64 {
        let size: u64 = modules.filter_map(|name| now.modules.get(name)).map(|(_, size)| size).sum();
        self.cold_cpu_ms.saturating_mul(size) / now.bytes().max(1)
    }

    /// The content of every module that this link saw. What is in `cold` lld's private cache has no object for.
    pub(crate) fn set_modules(&mut self, now: &Now, cold: &dyn Fn(&str) -> bool) {
        let mut before = std::mem::take(&mut self.modules);
        for (name, (digest, size)) in &now.modules {
            let known = before.remove(name);
            let importers = known.map(|module| module.importers).unwrap_or_default();
            let module = Module { digest: digest.clone(), size: *size, importers, is_cold: cold(name) };
            self.modules.insert(name.clone(), module);
            self.seen.insert(digest.clone(), name.clone());
        }
    }

    /// Who imports from whom: each module with the modules that it imports from.
    pub(crate) fn set_imports<'a>(&mut self, now: &Now, imports: impl Iterator<Item = (&'a str, Vec<&'a str>)>) {
        self.modules.values_mut().for_each(|module| module.importers.clear());
        for (importer, from) in imports {
            let importer = now.name(importer);
            for imported in from {
                match self.modules.get_mut(&now.name(imported)) {
                    Some(module) => module.importers.push(importer.clone()),
                    // A link that forgets an importer does no more than count wrong.
                    None => tracing::debug!(importer, imported, "no input of the link has this module"),
                }
            }
        }
    }

    /// Warnings of modules that lld has not compiled this time are said again, unless it has said the same itself.
    pub(crate) fn said_before(&self, now: &[String]) -> Vec<String> {
        self.said.values().flat_map(|said| &said.lines).filter(|line| !now.contains(line)).cloned().collect()
    }

    /// In-process the last link that compiled everything took more memory than there is now.
    pub(crate) fn was_too_large(&self) -> bool {
        available_kib().is_some_and(|free| self.cold_rss_kib > free)
    }

    /// lld's private cache is empty.
    pub(crate) fn forget_cache(&mut self) {
        self.seen.clear();
        self.said.clear();
    }

    /// More was put under names than there are modules, many times: time to begin anew.
    pub(crate) fn is_full(&self) -> bool {
        self.seen.len() > 1000 + 4 * self.modules.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(modules: &[(&str, &str, u64)]) -> Now {
        let modules = modules.iter().map(|(name, digest, size)| ((*name).to_owned(), ((*digest).to_owned(), *size)));
        Now { modules: modules.collect(), names: BTreeMap::new(), is_ambiguous: false }
    }

    fn history() -> History {
        let mut history = History { cold_cpu_ms: 1000, ..History::default() };
        let now = now(&[("a", "1", 10), ("b", "2", 40), ("c", "3", 50)]);
        history.set_modules(&now, &|_| false);
        history.set_imports(&now, [("b", vec!["a"]), ("c", vec![])].into_iter());
        history
    }

    #[test]
    fn importers_of_what_changed_are_repeated() {
        let (history, now) = (history(), now(&[("a", "x", 10), ("b", "2", 40), ("c", "3", 50)]));
        let changes = history.changes(&now);
        assert_eq!(changes.changed.iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(changes.repeated.iter().collect::<Vec<_>>(), ["b"]);
        assert_eq!(history.reasons(&changes), [("b".to_owned(), vec!["a".to_owned()])]);
        assert_eq!(history.estimate_ms(&now, changes.repeated.iter()), 400);
    }

    #[test]
    fn importers_of_what_is_gone_are_repeated() {
        let changes = history().changes(&now(&[("b", "2", 40), ("c", "3", 50)]));
        assert_eq!((changes.changed.len(), changes.repeated.len()), (0, 1));
    }

    #[test]
    fn content_under_another_name_has_moved() {
        assert!(!history().has_moved(&now(&[("a", "x", 10), ("d", "4", 1)])));
        assert!(history().has_moved(&now(&[("d", "1", 10)])));
        let mut history = history();
        history.set_modules(&now(&[("a", "x", 10)]), &|_| false);
        assert!(history.has_moved(&now(&[("d", "1", 10)])), "what it was two links ago counts");
        history.forget_cache();
        assert!(!history.has_moved(&now(&[("d", "1", 10)])));
    }

    #[test]
    fn names_have_no_offsets() {
        let part = |file: &str| Place::Part { file: PathBuf::from(file), offset: 0, size: 0 };
        let places = [
            ("d/l.a(m.o at 78)", part("d/l.a")),
            ("d/l.a(m.o at 112)", part("d/l.a")),
            ("d/l.a(n.o at 9)", part("d/l.a")),
            ("t.a(x.o at 7)", Place::File(PathBuf::from("d/x.o"))),
        ];
        let names = names(places.iter().map(|(identifier, place)| (*identifier, place)));
        let names: Vec<_> = names.values().map(String::as_str).collect();
        assert_eq!(names, ["d/l.a(m.o#1", "d/l.a(m.o#0", "d/l.a(n.o#0", "d/x.o"]);
    }
}
