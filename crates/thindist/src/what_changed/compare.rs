//! Pairs two objects' definitions by name, and compares each pair.

use super::image::{Definition, Kind, plain};
use std::collections::BTreeMap;

/// What became of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Added,
    Changed,
    Removed,
    /// Only promoted names are others: its own, or those that it refers to.
    Renamed,
}

/// One definition that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// The source file that it is local to, or nothing.
    pub(super) file: String,
    /// As it is called now; of one that is removed, as it was.
    pub(super) name: String,
    pub(super) status: Status,
}

type Pairs<'a> = BTreeMap<(Kind, &'a str, String), [Vec<&'a Definition>; 2]>;

/// What is different, sorted.
pub(super) fn compare(old: &[Definition], new: &[Definition]) -> Vec<Difference> {
    let mut pairs = Pairs::new();
    for (side, definitions) in [old, new].into_iter().enumerate() {
        for definition in definitions {
            let key = (definition.kind, definition.file.as_str(), plain(&definition.name));
            if let Some(place) = pairs.entry(key).or_default().get_mut(side) {
                place.push(definition);
            }
        }
    }
    let mut differences: Vec<Difference> = pairs.into_values().flat_map(|[old, new]| of_one_name(old, new)).collect();
    differences.sort();
    differences
}

/// Several definitions may have one name without its suffix: those of one full name belong together, the others in order.
fn of_one_name<'a>(old: Vec<&'a Definition>, mut new: Vec<&'a Definition>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut without = Vec::new();
    for before in old {
        match new.iter().position(|after| after.name == before.name) {
            Some(at) => differences.extend(of_pair(before, new.remove(at))),
            None => without.push(before),
        }
    }
    let paired = without.len().min(new.len());
    let (removed, added) = (without.split_off(paired), new.split_off(paired));
    differences.extend(without.iter().zip(&new).filter_map(|(before, after)| of_pair(before, after)));
    differences.extend(removed.into_iter().map(|definition| difference(definition, Status::Removed)));
    differences.extend(added.into_iter().map(|definition| difference(definition, Status::Added)));
    differences
}

fn of_pair(old: &Definition, new: &Definition) -> Option<Difference> {
    if old.name == new.name && old.content == new.content {
        return None;
    }
    let is_renamed = old.content.without_suffixes() == new.content.without_suffixes();
    Some(difference(new, if is_renamed { Status::Renamed } else { Status::Changed }))
}

fn difference(definition: &Definition, status: Status) -> Difference {
    let Definition { kind, file, name, .. } = definition;
    Difference { kind: *kind, file: file.clone(), name: name.clone(), status }
}
