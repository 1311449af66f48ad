//! Which input of the link each module of a job file is: its identifier in-process.
//!
//! LLVM links imports in the order of their identifiers, and its output depends on it. DTLTO gives members of thin archives
//! the path of their file and unpacks those of others into files with lld's process number in their names. With
//! in-process' identifiers instead, the order is in-process', nothing of a process is left, and the linker entrance makes
//! the same actions.

use crate::link::{Place, Survey};
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::dtlto::unpacked_member;
use thindist_core::link_line::LinkLine;
use thindist_core::paths;

/// The identifier in-process of each of `paths`, or the path of one that cannot be told.
pub(super) fn in_process<'a>(line: &LinkLine, paths: &[&'a str]) -> Result<BTreeMap<&'a str, String>, &'a str> {
    // Whatever it could not read lld has read all the same; a module of it will be missing here.
    let (survey, _) = Survey::of(line);
    let inputs = Inputs::of(&survey);
    let mut taken = BTreeSet::new();
    let mut identifiers = BTreeMap::new();
    for path in paths {
        let identifier = inputs.find(path).filter(|identifier| taken.insert(*identifier)).ok_or(*path)?;
        identifiers.insert(*path, identifier.to_owned());
    }
    Ok(identifiers)
}

/// The bitcode of a link, by what DTLTO's names have of it.
struct Inputs<'a> {
    /// Files of their own, by path.
    files: BTreeSet<&'a str>,
    /// Members of thin archives: a path without dots, and the identifiers of that file.
    thin: BTreeMap<String, Vec<&'a str>>,
    /// Members of others: the last component of the identifier, the whole of it, where it is.
    parts: BTreeMap<&'a str, Vec<(&'a str, Place)>>,
}

impl<'a> Inputs<'a> {
    fn of(survey: &'a Survey) -> Self {
        let mut inputs = Self { files: BTreeSet::new(), thin: BTreeMap::new(), parts: BTreeMap::new() };
        for (identifier, (_, place)) in survey.bitcode() {
            match &place {
                Place::File(path) if path.as_os_str() == identifier => drop(inputs.files.insert(identifier)),
                Place::File(path) => {
                    inputs.thin.entry(paths::clean(&path.to_string_lossy())).or_default().push(identifier);
                }
                Place::Part { .. } => {
                    let last = identifier.rsplit('/').next().unwrap_or(identifier);
                    inputs.parts.entry(last).or_default().push((identifier, place));
                }
            }
        }
        inputs
    }

    /// The one input that `path` stands for.
    fn find(&self, path: &str) -> Option<&'a str> {
        if let Some(identifier) = self.files.get(path) {
            return Some(identifier);
        }
        if let Some(identifiers) = self.thin.get(path) {
            return only(identifiers.iter().copied());
        }
        let candidates = self.parts.get(unpacked_member(path)?)?;
        let content = std::fs::read(path).ok()?;
        let same = candidates.iter().filter(|(_, place)| place.read().is_ok_and(|bytes| bytes == content));
        only(same.map(|(identifier, _)| *identifier))
    }
}

fn only<'a>(mut all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    all.next().filter(|_| all.next().is_none())
}
