//! Maps each module of a job file to an input of the link: its in-process identifier.
//!
//! LLVM links imports in the order of their identifiers, and its output depends on it. DTLTO gives members of thin archives
//! the path of their file and unpacks those of others into files with lld's process number in their names. With
//! in-process' identifiers instead, the order is in-process', nothing of a process is left, and the linker entrance makes
//! the same actions.

use crate::inputs::content::Place;
use crate::inputs::survey::Survey;
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::lld::dtlto::unpacked_member;
use thindist_core::lld::link_line::LinkLine;
use thindist_core::paths;

/// The identifier in-process of each of `paths`, or the path of one that cannot be told.
pub(crate) fn in_process<'a>(line: &LinkLine, paths: &[&'a str]) -> Result<BTreeMap<&'a str, String>, &'a str> {
    // Whatever it could not read lld has read all the same; a module of it will be missing here.
    let (survey, _) = Survey::of(line);
    let inputs = Inputs::of(&survey);
    let mut groups: BTreeMap<Vec<&str>, Vec<&'a str>> = BTreeMap::new();
    for path in paths {
        groups.entry(inputs.find(path)).or_default().push(path);
    }
    let mut identifiers = BTreeMap::new();
    for (candidates, paths) in &groups {
        let others = groups.keys().filter(|others| *others != candidates).flatten();
        if paths.len() > candidates.len() || !are_neighbours(candidates, others) {
            return Err(paths.first().copied().unwrap_or_default());
        }
        identifiers.extend(paths.iter().copied().zip(candidates.iter().map(|identifier| (*identifier).to_owned())));
    }
    Ok(identifiers)
}

/// Which of `candidates`, whose content is one, a module is does not matter if no other module comes between them.
fn are_neighbours<'a>(candidates: &[&str], mut others: impl Iterator<Item = &'a &'a str>) -> bool {
    let (Some(first), Some(last)) = (candidates.first(), candidates.last()) else { return false };
    first == last || others.all(|other| other < first || other > last)
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

    /// The inputs that `path` may stand for, sorted.
    fn find(&self, path: &str) -> Vec<&'a str> {
        if let Some(identifier) = self.files.get(path) {
            return vec![identifier];
        }
        if let Some(identifiers) = self.thin.get(path) {
            return identifiers.clone();
        }
        let candidates = unpacked_member(path).and_then(|name| self.parts.get(name));
        let same = candidates.into_iter().flatten().filter(|(_, place)| has_content(place, path));
        same.map(|(identifier, _)| *identifier).collect()
    }
}

fn has_content(place: &Place, path: &str) -> bool {
    std::fs::read(path).is_ok_and(|content| place.read().is_ok_and(|bytes| bytes == content))
}
