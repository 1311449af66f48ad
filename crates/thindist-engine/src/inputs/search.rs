//! Where lld finds libraries and scripts that are not where their names say.
//!
//! `-L`'s directories come before those of `SEARCH_DIR`, wherever on the line each stands. So what `-L` finds is found,
//! and only for the rest scripts have to be read. Of those lld reads `-T`'s in front of all libraries in the final link.
//! A directory that another script adds takes part in an order that the final link does not keep: refused.

use super::kind::kind_of;
use crate::failure::Failure;
use crate::stop::Stop;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use thindist_core::lld::link_line::options::{FileRead, Role};
use thindist_core::lld::link_line::{InputName, LibrarySearch, LinkLine, append_path};
use thindist_core::lld::linker_script::{Mention, mentions};
use thindist_core::object::file_kind::FileKind;

/// The places of one link.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    line: &'a LinkLine,
    /// `-L`'s directories.
    given: Vec<String>,
    scripts: OnceCell<ByScripts>,
}

/// What scripts add.
#[derive(Debug, Default)]
struct ByScripts {
    /// The directories of `-T`'s scripts, in order.
    directories: Vec<String>,
    /// Another script adds directories, too.
    elsewhere: Option<String>,
}

impl<'a> Search<'a> {
    pub(crate) fn of(line: &'a LinkLine) -> Self {
        Self { line, given: line.search_directories(), scripts: OnceCell::new() }
    }

    /// The path of a library.
    pub(crate) fn library(&self, library: &LibrarySearch) -> Result<String, Stop> {
        if let Some(path) = first_existing(library.candidates(&self.given)) {
            return Ok(path);
        }
        let scripts = self.scripts.get_or_init(|| ByScripts::read(self));
        if let Some(script) = &scripts.elsewhere {
            return Err(Stop::Refused(thindist_core::lld::link_line::Refusal {
                option: format!("-l{}", library.name),
                reason: format!("{script} adds directories in which libraries are searched for"),
            }));
        }
        first_existing(library.candidates(&scripts.directories)).ok_or_else(|| {
            Failure::new(format_args!("unable to find library -l{}", library.name))
                .hint("name its directory with -L, or build or install it first")
                .into()
        })
    }

    /// A file in the directories of `-L`.
    pub(crate) fn in_directories(&self, name: &str) -> Option<String> {
        first_existing(self.given.iter().map(|directory| append_path(directory, name)).collect())
    }

    /// The path of a script; its name if there is none, for the message.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        find_script(name, &self.given).unwrap_or_else(|| PathBuf::from(name))
    }
}

fn first_existing(candidates: Vec<String>) -> Option<String> {
    candidates.into_iter().find(|candidate| Path::new(candidate).exists())
}

/// As given, else in the directories.
fn find_script(name: &str, directories: &[String]) -> Option<PathBuf> {
    let searched = directories.iter().map(|directory| append_path(directory, name));
    first_existing([name.to_owned()].into_iter().chain(searched).collect()).map(PathBuf::from)
}

impl ByScripts {
    fn read(search: &Search<'_>) -> Self {
        if search.line.leaves_standard_directories_out() {
            return Self::default();
        }
        let mut reader = ScriptReader { search, seen: BTreeSet::new(), directories: Vec::new(), inputs: Vec::new() };
        search.line.scripts().filter(|(spec, _)| spec.role == Role::Reads(FileRead::Script)).for_each(|(_, name)| {
            reader.read(&search.script(name));
        });
        let directories = std::mem::take(&mut reader.directories);
        reader.inputs.extend(search.line.inputs().into_iter().filter_map(|input| match input.name {
            InputName::Path(path) => Some(PathBuf::from(path)),
            InputName::Library(library) => first_existing(library.candidates(&search.given)).map(PathBuf::from),
        }));
        Self { directories, elsewhere: reader.first_input_with_directories() }
    }
}

struct ScriptReader<'a> {
    search: &'a Search<'a>,
    seen: BTreeSet<PathBuf>,
    /// What `SEARCH_DIR` said so far.
    directories: Vec<String>,
    /// Files that may be scripts and are still to be read.
    inputs: Vec<PathBuf>,
}

impl ScriptReader<'_> {
    /// Reads a script and those that it includes.
    fn read(&mut self, path: &Path) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        // What cannot be read lld will report.
        let Ok(text) = std::fs::read(path) else { return };
        for mention in mentions(&String::from_utf8_lossy(&text)) {
            match mention {
                Mention::SearchDirectory(directory) => {
                    self.directories.push(self.search.line.in_sysroot(&directory));
                }
                Mention::Include(name) => {
                    let directories = [self.search.given.as_slice(), &self.directories].concat();
                    if let Some(path) = find_script(&name, &directories) {
                        self.read(&path);
                    }
                }
                Mention::Input(name) => self.inputs.extend(self.input(path, &name)),
            }
        }
    }

    /// A file in `INPUT(…)`: beside the script, as given, or in the directories.
    fn input(&self, script: &Path, name: &str) -> Option<PathBuf> {
        if let Some(library) = name.strip_prefix("-l") {
            let library = LibrarySearch { name: library.to_owned(), only_static: false };
            return first_existing(library.candidates(&self.search.given)).map(PathBuf::from);
        }
        let beside = script.parent().map(|parent| parent.join(name)).filter(|path| path.exists());
        beside.or_else(|| find_script(&self.search.line.in_sysroot(name), &self.search.given))
    }

    fn first_input_with_directories(&mut self) -> Option<String> {
        while let Some(path) = self.inputs.pop() {
            if kind_of(&path) != Some(FileKind::Other) {
                continue;
            }
            self.read(&path);
            if !self.directories.is_empty() {
                return Some(path.display().to_string());
            }
        }
        None
    }
}
