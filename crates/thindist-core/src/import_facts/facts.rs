//! What is known of one module's definitions, and what an import takes of it.
//!
//! It does not know where it comes from: a description is a digest here.

use super::debug::Traces;
use super::sink::{Id, Sink};
use crate::digest::Digest;
use crate::index::promoted_names::PromotedNames;
use std::collections::BTreeSet;

/// The first byte of [`ImportFacts::to_bytes`].
const BYTES_VERSION: u8 = 5;

/// What an importer gets of one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFacts {
    pub(super) common: Id,
    /// The file of the compile unit, where debug information is left out.
    pub(super) unit: Option<String>,
    /// GUIDs of all variables that it names, in its order.
    pub(super) variables: Vec<u64>,
    /// GUID and content of each definition in the module's order, which is the order of the import; `None` is a
    /// definition whose importers depend on the whole module.
    pub(super) definitions: Vec<(u64, Option<Content>)>,
}

/// What an import of one definition brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) id: Id,
    /// A local value is among what it names, or is what is defined: an import gives that another name.
    pub(super) reaches_local: bool,
    /// The distinct metadata nodes that it names, each by its number in the module, or [`OWN_NODE`]. Two definitions that are
    /// imported together may share one.
    pub(super) distinct: Vec<u32>,
    /// GUIDs of what it names and the module does not know to be `dso_local`.
    pub(super) not_dso_local: Vec<u64>,
    /// GUIDs of the functions that it declares with a description for debug information.
    pub(super) declared: Vec<u64>,
    /// GUIDs of the variables that it is or names.
    pub(super) variables: Vec<u64>,
}

/// The variables that a backend meets: those of its own module, and what imports name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// These, by their GUIDs.
    These(BTreeSet<u64>),
    /// It may be any.
    Any,
}

impl Met {
    /// Those of a module that has `own` and imports these definitions from modules with these facts, as far as either is known.
    pub fn of<'a>(
        own: &BTreeSet<u64>,
        imports: impl Iterator<Item = (Option<&'a ImportFacts>, Option<&'a BTreeSet<u64>>)>,
    ) -> Self {
        let mut met = own.clone();
        for (facts, guids) in imports {
            let Some((facts, guids)) = facts.zip(guids) else { return Self::Any };
            let taken = facts.definitions.iter().filter(|(guid, _)| guids.contains(guid));
            let Some(taken) = taken.map(|(_, content)| content.as_ref()).collect::<Option<Vec<_>>>() else {
                return Self::Any;
            };
            if taken.len() != guids.len() {
                return Self::Any;
            }
            met.extend(taken.iter().flat_map(|content| &content.variables));
        }
        Self::These(met)
    }

    fn has(&self, guid: u64) -> bool {
        match self {
            Self::These(met) => met.contains(&guid),
            Self::Any => true,
        }
    }
}

/// What an import of some definitions brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The digest of all of it but for debug information.
    pub digest: Digest,
    /// How an object shows the debug information, if there is any.
    pub debug: Option<Traces>,
}

/// A distinct node that no other definition names.
pub(super) const OWN_NODE: u32 = u32::MAX;

impl ImportFacts {
    /// What an import of the definitions with these GUIDs brings along, local values by their names in the module; `None` if it can be anything in the module, as it can where a promoted name has its hash.
    #[must_use]
    pub fn imported(&self, guids: &BTreeSet<u64>, promoted: PromotedNames, met: &Met) -> Option<Part> {
        let taken: Vec<_> = self.definitions.iter().filter(|(guid, _)| guids.contains(guid)).collect();
        if taken.len() != guids.len() {
            return None;
        }
        let mut sink = Sink::of(b'I');
        sink.id(&self.common);
        let (mut nodes, mut declared) = (Vec::new(), BTreeSet::new());
        sink.number(taken.len() as u64);
        for (guid, content) in taken {
            let Content { id, reaches_local, distinct, declared: of_this, .. } = content.as_ref()?;
            declared.extend(of_this);
            if *reaches_local && promoted == PromotedNames::Hash {
                return None;
            }
            // A content does not say whose it is: two definitions may exchange theirs.
            sink.number(*guid);
            sink.id(id);
            sink.number(distinct.len() as u64);
            for node in distinct {
                // Which definitions share which nodes, without their numbers.
                let known = nodes.iter().position(|known| known == node && *node != OWN_NODE);
                sink.number(known.unwrap_or(nodes.len()) as u64);
                if known.is_none() {
                    nodes.push(*node);
                }
            }
        }
        let order: Vec<u64> = self.variables.iter().copied().filter(|guid| met.has(*guid)).collect();
        sink.numbers(&order);
        let debug = self.unit.clone().map(|unit| Traces { unit, declared });
        Some(Part { digest: Digest::from_parts(sink.finish(), sink.len()), debug })
    }

    /// The GUIDs of the values that an import of the definitions with these GUIDs names, as far as the module does not know
    /// that they are `dso_local`; `None` if that is not known of one of the definitions.
    #[must_use]
    pub fn not_dso_local(&self, guids: &BTreeSet<u64>) -> Option<BTreeSet<u64>> {
        let taken = self.definitions.iter().filter(|(guid, _)| guids.contains(guid));
        let named: Vec<_> = taken.map(|(_, content)| content.as_ref()).collect::<Option<_>>()?;
        let all = named.iter().flat_map(|content| &content.not_dso_local).copied();
        (named.len() == guids.len()).then(|| all.collect())
    }

    /// How many definitions there are, and of how many an import is described.
    #[must_use]
    pub fn coverage(&self) -> (usize, usize) {
        (self.definitions.len(), self.definitions.iter().filter(|(_, content)| content.is_some()).count())
    }

    /// For keeping between links: a version, the common part, length and text of the unit's name, the variables, then for each
    /// definition a GUID, the number of distinct nodes plus one, a content, whether a local value is reached, the nodes, and three
    /// lists: what is not `dso_local`, described declarations, variables; or a GUID and zero. A list is a number and so many GUIDs.
    /// GUIDs have 8 bytes, other numbers 4, the lowest one first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![BYTES_VERSION];
        bytes.extend_from_slice(&self.common);
        let unit = self.unit.as_deref().unwrap_or_default();
        bytes.extend_from_slice(&length(unit.len()));
        bytes.extend_from_slice(unit.as_bytes());
        put_guids(&mut bytes, &self.variables);
        for (guid, content) in &self.definitions {
            bytes.extend_from_slice(&guid.to_le_bytes());
            let nodes = content.as_ref().map_or(0, |content| content.distinct.len() + 1);
            bytes.extend_from_slice(&length(nodes));
            if let Some(Content { id, reaches_local, distinct, not_dso_local, declared, variables }) = content {
                bytes.extend_from_slice(id);
                bytes.push(u8::from(*reaches_local));
                distinct.iter().for_each(|node| bytes.extend_from_slice(&node.to_le_bytes()));
                [not_dso_local, declared, variables].iter().for_each(|guids| put_guids(&mut bytes, guids));
            }
        }
        bytes
    }

    /// What [`Self::to_bytes`] gave; `None` for anything else, such as another version's.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (common, rest) = rest.split_first_chunk().filter(|_| *version == BYTES_VERSION)?;
        let (unit, rest) = sized(rest, 1)?;
        let (variables, mut rest) = guids(rest)?;
        let unit = std::str::from_utf8(unit).ok().filter(|unit| !unit.is_empty()).map(str::to_owned);
        let mut definitions = Vec::new();
        while let Some((guid, after)) = rest.split_first_chunk() {
            let (content, after) = Content::from_bytes(after)?;
            definitions.push((u64::from_le_bytes(*guid), content));
            rest = after;
        }
        rest.is_empty().then_some(Self { common: *common, unit, variables, definitions })
    }
}

impl Content {
    /// One content, or that there is none, and the bytes after it.
    fn from_bytes(bytes: &[u8]) -> Option<(Option<Self>, &[u8])> {
        let (nodes, rest) = bytes.split_first_chunk()?;
        let Some(nodes) = u32::from_le_bytes(*nodes).checked_sub(1) else { return Some((None, rest)) };
        let (id, rest) = rest.split_first_chunk()?;
        let (reaches_local, rest) = rest.split_first()?;
        let (nodes, rest) = rest.split_at_checked(usize::try_from(nodes).ok()?.checked_mul(4)?)?;
        let distinct = nodes.as_chunks().0.iter().map(|node| u32::from_le_bytes(*node)).collect();
        let (not_dso_local, rest) = guids(rest)?;
        let (declared, rest) = guids(rest)?;
        let (variables, rest) = guids(rest)?;
        let reaches_local = *reaches_local != 0;
        Some((Some(Self { id: *id, reaches_local, distinct, not_dso_local, declared, variables }), rest))
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(0).to_le_bytes()
}

fn put_guids(bytes: &mut Vec<u8>, guids: &[u64]) {
    bytes.extend_from_slice(&length(guids.len()));
    guids.iter().for_each(|guid| bytes.extend_from_slice(&guid.to_le_bytes()));
}

/// What [`put_guids`] has written, and the rest.
fn guids(bytes: &[u8]) -> Option<(Vec<u64>, &[u8])> {
    let (guids, rest) = sized(bytes, 8)?;
    Some((guids.as_chunks().0.iter().map(|guid| u64::from_le_bytes(*guid)).collect(), rest))
}

/// What follows its own number of pieces of this size, and the rest.
fn sized(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(size)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Met {
        Met::These(BTreeSet::new())
    }

    /// A variable that it names in another place, or names at all, is put in another place of the importer.
    #[test]
    fn the_order_of_variables_counts_as_far_as_they_are_met() {
        let part = |variables: &[u64], met: &Met| {
            let facts = ImportFacts { variables: variables.to_vec(), ..sample() };
            facts.imported(&BTreeSet::from([7]), PromotedNames::Hash, met).unwrap().digest
        };
        let own = BTreeSet::from([90]);
        let met = Met::of(&own, std::iter::once((Some(&sample()), Some(&BTreeSet::from([7])))));
        assert_eq!(met, Met::These([52, 90].into()));
        assert_ne!(part(&[52, 90], &met), part(&[90, 52], &met));
        assert_ne!(part(&[52, 90], &met), part(&[52], &met));
        assert_eq!(part(&[52, 53, 90], &met), part(&[52, 90], &met), "nobody has 53");
        assert_ne!(part(&[52, 53, 90], &Met::Any), part(&[52, 90], &Met::Any));
        let sample = sample();
        for (facts, guids) in [(None, None), (Some(&sample), Some([8].into())), (Some(&sample), Some([11].into()))] {
            let met = Met::of(&own, std::iter::once((facts, guids.as_ref())));
            assert_eq!(met, Met::Any, "8 is not described, and 11 not defined");
        }
    }

    fn sample() -> ImportFacts {
        let content = |byte, distinct: &[u32]| {
            let not_dso_local = vec![u64::from(byte); 2];
            let (distinct, declared, variables) =
                (distinct.to_vec(), vec![u64::from(byte) + 100], vec![u64::from(byte) + 50]);
            Some(Content { id: [byte; 32], reaches_local: false, distinct, not_dso_local, declared, variables })
        };
        let definitions =
            vec![(7, content(2, &[5, OWN_NODE])), (8, None), (9, content(3, &[5])), (10, content(4, &[]))];
        ImportFacts { common: [1; 32], unit: Some("b.c".to_owned()), variables: vec![52, 90, 53], definitions }
    }

    #[test]
    fn which_definitions_share_a_node_counts_and_its_number_does_not() {
        let both = |change: fn(&mut Vec<u32>)| {
            let mut facts = sample();
            facts
                .definitions
                .iter_mut()
                .filter_map(|(_, content)| content.as_mut())
                .for_each(|it| change(&mut it.distinct));
            facts.imported(&BTreeSet::from([7, 9]), PromotedNames::Hash, &nobody()).unwrap()
        };
        assert_eq!(both(|_| {}), both(|nodes| nodes.iter_mut().filter(|node| **node == 5).for_each(|node| *node = 6)));
        assert_ne!(both(|_| {}), both(|nodes| nodes.iter_mut().for_each(|node| *node = OWN_NODE)));
    }

    #[test]
    fn what_is_imported_decides() {
        let imported =
            |guids: &[u64]| sample().imported(&guids.iter().copied().collect(), PromotedNames::Hash, &nobody());
        assert!(imported(&[7]).is_some() && imported(&[9]).is_some());
        assert_ne!(imported(&[7]), imported(&[9]));
        assert_ne!(imported(&[7]), imported(&[7, 9]));
        assert_eq!(imported(&[7, 8]), None, "8 is not described");
        assert_eq!(imported(&[7, 11]), None, "11 is not defined");
    }

    #[test]
    fn definitions_that_exchange_their_contents_are_others() {
        let mut exchanged = sample();
        let [(_, first), .., (_, last)] = &mut exchanged.definitions[..] else { panic!("two definitions") };
        std::mem::swap(first, last);
        let both = BTreeSet::from([7, 10]);
        let imported = |facts: ImportFacts| facts.imported(&both, PromotedNames::Hash, &nobody());
        assert_ne!(imported(exchanged), imported(sample()));
    }

    #[test]
    fn what_is_imported_names_what_it_names() {
        let named = |guids: &[u64]| sample().not_dso_local(&guids.iter().copied().collect());
        assert_eq!(named(&[7, 9]), Some([2, 3].into()));
        assert_eq!(named(&[7, 8]), None, "8 is not described");
        assert_eq!(named(&[7, 11]), None, "11 is not defined");
    }

    #[test]
    fn kept_and_read_again() {
        let bytes = sample().to_bytes();
        assert_eq!(ImportFacts::from_bytes(&bytes), Some(sample()));
        assert_eq!(ImportFacts::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(ImportFacts::from_bytes(&[]), None);
        let mut other = bytes;
        other[0] += 1;
        assert_eq!(ImportFacts::from_bytes(&other), None, "another version");
    }

    #[test]
    fn a_local_value_counts_by_its_name_if_that_stays() {
        let mut facts = sample();
        facts.definitions[0].1.as_mut().unwrap().reaches_local = true;
        let imported = |facts: &ImportFacts, promoted| facts.imported(&BTreeSet::from([7]), promoted, &nobody());
        assert_eq!(imported(&facts, PromotedNames::Hash), None);
        assert_eq!(imported(&facts, PromotedNames::Stable), imported(&sample(), PromotedNames::Hash));
        assert_eq!(ImportFacts::from_bytes(&facts.to_bytes()), Some(facts));
    }
}
