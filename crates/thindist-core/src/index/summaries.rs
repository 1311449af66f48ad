//! The summaries of an individual index: which values they describe, and one order for them.
//!
//! lld numbers an index's values, and orders its summaries, by hash tables whose order depends on module identifiers.
//! An archive member's identifier holds its offset, which moves when an earlier member changes: on the kernel, one
//! function more in lib/bcd.c permuted the numbers in 18 indexes that have nothing to do with it. So values are
//! numbered here by their GUID, modules by their new names, and summaries sorted, each with the records that are read as a part of
//! it: tests of types, allocations of a memory profile. Nothing but the numbers changes; a block with a record that is not known is left as it is.

use crate::bitcode::bitstream::{BitstreamError, Block, BlockInfo, Item, Record};
use crate::bitcode::definitions::Definitions;
use std::collections::{BTreeMap, BTreeSet};

/// A function whose calls have no hotness; LLVM before 17.
const COMBINED: u64 = 4;
const COMBINED_PROFILE: u64 = 5;
const COMBINED_GLOBALVAR_INIT_REFS: u64 = 6;
const COMBINED_ALIAS: u64 = 8;
const ORIGINAL_NAME: u64 = 9;
const VERSION: u64 = 10;
const TYPE_TESTS: u64 = 11;
const TYPE_CHECKED_LOAD_CONST_VCALL: u64 = 15;
const VALUE_GUID: u64 = 16;
const CFI_FUNCTION_DEFS: u64 = 17;
const CFI_FUNCTION_DECLS: u64 = 18;
const FLAGS: u64 = 20;
const TYPE_ID: u64 = 21;
const BLOCK_COUNT: u64 = 24;
const PARAM_ACCESS: u64 = 25;
const CALLSITE_INFO: u64 = 28;
const ALLOC_INFO: u64 = 29;
const STACK_IDS: u64 = 30;
const ALLOC_CONTEXT_IDS: u64 = 31;
const CONTEXT_RADIX_TREE_ARRAY: u64 = 32;
const ALLOC_INFO_NO_CONTEXT: u64 = 33;

/// What a record is, as far as its place goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In front of all summaries.
    Head,
    ValueGuid,
    /// Stacks, which the parts of summaries refer to by their places.
    Stacks,
    /// A part of the next function's summary.
    Ahead,
    Summary,
    /// A part of the summary before it.
    Behind,
    /// Of the whole index, behind all summaries.
    Tail,
}

/// All that LLVM 14 to 22 write into individual indexes.
fn place_of(code: u64) -> Option<Place> {
    Some(match code {
        VERSION | FLAGS => Place::Head,
        VALUE_GUID => Place::ValueGuid,
        STACK_IDS | CONTEXT_RADIX_TREE_ARRAY => Place::Stacks,
        TYPE_TESTS..=TYPE_CHECKED_LOAD_CONST_VCALL => Place::Ahead,
        PARAM_ACCESS | CALLSITE_INFO | ALLOC_INFO | ALLOC_CONTEXT_IDS | ALLOC_INFO_NO_CONTEXT => Place::Ahead,
        COMBINED | COMBINED_PROFILE | COMBINED_GLOBALVAR_INIT_REFS | COMBINED_ALIAS => Place::Summary,
        ORIGINAL_NAME => Place::Behind,
        CFI_FUNCTION_DEFS | CFI_FUNCTION_DECLS | TYPE_ID | BLOCK_COUNT => Place::Tail,
        _ => return None,
    })
}

/// A summary's flags that are set: live, and in the output for certain (`dso_local`). No bit of linkage is external linkage.
const LIVE: u64 = 1 << 5;
const DSO_LOCAL: u64 = 1 << 6;

/// What the summaries say.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    /// Flags of the whole index; without any, none is set.
    pub(crate) flags: u64,
    /// For each module's number the GUIDs of its definitions; `None` if a record is not known.
    pub(crate) definitions: Option<BTreeMap<u64, Definitions>>,
}

/// Reads what the summaries are of.
pub(crate) fn read(mut block: Block<'_>, info: &mut BlockInfo) -> Result<Summaries, BitstreamError> {
    let mut record = Record::default();
    let mut flags = 0;
    let mut guids = BTreeMap::new();
    let mut places = Some(Vec::new());
    loop {
        match block.next(info, &mut record)? {
            Item::End => break,
            Item::Block(_) => places = None,
            Item::Record => match place_of(record.code) {
                Some(Place::Head) if record.code == FLAGS => flags = record.value(0).unwrap_or(0),
                Some(Place::ValueGuid) => guids.extend(record.value(0).zip(guid(&record.values))),
                Some(Place::Summary) => {
                    places = places.zip(place(&record)).map(|(mut places, place)| {
                        places.push(place);
                        places
                    });
                }
                Some(_) => {}
                None => places = None,
            },
        }
    }
    Ok(Summaries { flags, definitions: places.and_then(|places| by_module(&places, &guids)) })
}

/// A value's GUID: one number, or two halves, the higher one first.
fn guid(values: &[u64]) -> Option<u64> {
    match *values {
        [_, guid] => Some(guid),
        [_, high, low] => Some(high << 32 | low),
        _ => None,
    }
}

/// Which value a summary is of, in which module, and its flags.
fn place(record: &Record<'_>) -> Option<(u64, u64, u64)> {
    Some((record.value(0)?, record.value(1)?, record.value(2)?))
}

fn by_module(places: &[(u64, u64, u64)], guids: &BTreeMap<u64, u64>) -> Option<BTreeMap<u64, Definitions>> {
    let mut definitions: BTreeMap<u64, Definitions> = BTreeMap::new();
    for (value, module, flags) in places {
        let guid = *guids.get(value)?;
        definitions.entry(*module).or_default().add(guid, flags & DSO_LOCAL != 0);
    }
    Some(definitions)
}

/// A record as it is written: code and values.
pub(crate) type Plain = (u64, Vec<u64>);

/// Values that the index's own module only declares, and that are `dso_local` where they are defined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    /// The own module's old number.
    pub(crate) module: u64,
    pub(crate) guids: &'a BTreeSet<u64>,
}

/// A summary with what is read as a part of it.
#[derive(Debug, Default)]
struct Unit {
    ahead: Vec<Plain>,
    summary: Plain,
    behind: Vec<Plain>,
}

impl Unit {
    fn bare(code: u64, values: Vec<u64>) -> Self {
        Self { summary: (code, values), ..Self::default() }
    }

    fn renumber(&mut self, values: &BTreeMap<u64, u64>, modules: &BTreeMap<u64, u64>) -> Option<()> {
        for (code, record) in self.ahead.iter_mut().chain([&mut self.summary]) {
            renumber(*code, record, values)?;
        }
        let module = self.summary.1.get_mut(1)?;
        *module = *modules.get(module)?;
        Some(())
    }

    fn records(self) -> impl Iterator<Item = Plain> {
        self.ahead.into_iter().chain([self.summary]).chain(self.behind)
    }

    /// An alias is read after what it is an alias of.
    fn order(&self) -> (bool, &[u64]) {
        (self.summary.0 == COMBINED_ALIAS, &self.summary.1)
    }
}

/// All records of a block by their places.
#[derive(Debug, Default)]
struct Records {
    head: Vec<Plain>,
    guids: Vec<Plain>,
    stacks: Vec<Plain>,
    units: Vec<Unit>,
    tail: Vec<Plain>,
}

impl Records {
    fn read(mut block: Block<'_>, info: &mut BlockInfo) -> Option<Self> {
        let (mut all, mut record, mut ahead) = (Self::default(), Record::default(), Vec::new());
        loop {
            match block.next(info, &mut record).ok()? {
                Item::Block(_) => return None,
                Item::End => break,
                Item::Record => {}
            }
            let plain = (record.code, record.values.clone());
            match place_of(record.code)? {
                Place::Head => all.head.push(plain),
                Place::ValueGuid => all.guids.push(plain),
                Place::Stacks => all.stacks.push(plain),
                Place::Ahead => ahead.push(plain),
                Place::Summary => {
                    // Only a function takes what stands ahead; a variable between leaves it to the next one.
                    let is_function = matches!(record.code, COMBINED | COMBINED_PROFILE);
                    let ahead = if is_function { std::mem::take(&mut ahead) } else { Vec::new() };
                    all.units.push(Unit { ahead, ..Unit::bare(plain.0, plain.1) });
                }
                Place::Behind => all.units.last_mut()?.behind.push(plain),
                Place::Tail => all.tail.push(plain),
            }
        }
        ahead.is_empty().then_some(all)
    }

    /// Adds a summary for each value that has none. Of a summary in the own module nothing is imported, and what it says of
    /// linkage and the like is for definitions; all that is left of it is the flag.
    fn declare(&mut self, declared: Declared<'_>) -> Option<()> {
        let mut next = self.guids.iter().filter_map(|(_, values)| values.first()).max()?.checked_add(1)?;
        let summarised: BTreeSet<u64> = self.units.iter().filter_map(|unit| unit.summary.1.first().copied()).collect();
        let in_halves = self.guids.iter().any(|(_, values)| values.len() == 3);
        let known: BTreeMap<u64, u64> =
            self.guids.iter().filter_map(|(_, values)| guid(values).zip(values.first().copied())).collect();
        for new in declared.guids {
            let place = known.get(new).copied().unwrap_or(next);
            if summarised.contains(&place) {
                continue;
            }
            if place == next {
                next = next.checked_add(1)?;
                let halves = vec![place, new >> 32, new & 0xffff_ffff];
                self.guids.push((VALUE_GUID, if in_halves { halves } else { vec![place, *new] }));
            }
            let summary = vec![place, declared.module, LIVE | DSO_LOCAL, 0];
            self.units.push(Unit::bare(COMBINED_GLOBALVAR_INIT_REFS, summary));
        }
        Some(())
    }

    /// Numbers the values by their GUIDs: one number, or two halves of 32 bits. Gives old and new ones.
    fn number(&mut self) -> Option<BTreeMap<u64, u64>> {
        self.guids.sort_by(|(_, left), (_, right)| left.get(1..).cmp(&right.get(1..)));
        let mut numbers = BTreeMap::new();
        for (number, (_, values)) in (1_u64..).zip(&mut self.guids) {
            let place = values.first_mut()?;
            if numbers.insert(*place, number).is_some() {
                return None;
            }
            *place = number;
        }
        Some(numbers)
    }
}

/// The records of a summary block in the one order and with new numbers of modules, or `None` if they have to stay as they
/// are.
pub(crate) fn canonical(
    block: Block<'_>,
    info: &mut BlockInfo,
    modules: &BTreeMap<u64, u64>,
    declared: Option<Declared<'_>>,
) -> Option<Vec<Plain>> {
    let mut records = Records::read(block, info)?;
    declared.map_or(Some(()), |declared| records.declare(declared))?;
    let numbers = records.number()?;
    records.units.iter_mut().try_for_each(|unit| unit.renumber(&numbers, modules))?;
    records.units.sort_by(|left, right| left.order().cmp(&right.order()));
    let Records { head, guids, stacks, units, tail } = records;
    let units = units.into_iter().flat_map(Unit::records);
    Some([head, guids, stacks].concat().into_iter().chain(units).chain(tail).collect())
}

fn renumber(code: u64, values: &mut [u64], numbers: &BTreeMap<u64, u64>) -> Option<()> {
    for place in value_places(code, values)? {
        let value = values.get_mut(place)?;
        // Of a callee that the index does not have a call site says 0.
        if code != CALLSITE_INFO || *value != 0 {
            *value = *numbers.get(value)?;
        }
    }
    Some(())
}

/// Where a record has numbers of values.
fn value_places(code: u64, values: &[u64]) -> Option<Vec<usize>> {
    Some(match code {
        // Value, module, flags, aliasee.
        COMBINED_ALIAS => vec![0, 3],
        // Value, module, flags, variable's flags, references.
        COMBINED_GLOBALVAR_INIT_REFS => std::iter::once(0).chain(4..values.len()).collect(),
        // Value, module, flags, instructions, function's flags, entry count, number of references, of read-only and of
        // write-only ones; references; calls, each a value and its hotness.
        COMBINED_PROFILE => {
            let calls = calls_of(values)?;
            if !(values.len() - calls).is_multiple_of(2) {
                return None;
            }
            std::iter::once(0).chain(9..calls).chain((calls..values.len()).step_by(2)).collect()
        }
        // The same without hotness.
        COMBINED => {
            calls_of(values)?;
            std::iter::once(0).chain(9..values.len()).collect()
        }
        // Callee, numbers of stack entries and of versions, these.
        CALLSITE_INFO => vec![0],
        PARAM_ACCESS => callees_of_parameters(values)?,
        // Types by their GUIDs, stacks by their places.
        _ => Vec::new(),
    })
}

/// Where a function's calls begin, behind its references.
fn calls_of(values: &[u64]) -> Option<usize> {
    let references = usize::try_from(*values.get(6)?).ok()?;
    9_usize.checked_add(references).filter(|calls| *calls <= values.len())
}

/// For each parameter: which, two bounds, number of calls; for each call a parameter, the callee, two bounds.
fn callees_of_parameters(values: &[u64]) -> Option<Vec<usize>> {
    let (mut at, mut places) = (0_usize, Vec::new());
    while at < values.len() {
        let calls = usize::try_from(*values.get(at.checked_add(3)?)?).ok()?;
        let end = at.checked_add(4)?.checked_add(calls.checked_mul(4)?)?;
        if end > values.len() {
            return None;
        }
        places.extend((at + 4..end).step_by(4).map(|call| call + 1));
        at = end;
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcode::bitstream::Extent;
    use crate::bitcode::bitstream_writer::BlockWriter;
    use proptest::strategy::Strategy as _;

    fn block(records: &[Plain]) -> Option<Vec<Plain>> {
        with_declared(records, None)
    }

    fn with_declared(records: &[Plain], declared: Option<Declared<'_>>) -> Option<Vec<Plain>> {
        let mut writer = BlockWriter::new(4);
        for (code, values) in records {
            writer.record(*code, values.iter().copied());
        }
        let content = writer.finish();
        let mut info = BlockInfo::default();
        let extent = Extent { id: 20, width: 4, start: 0, end: content.len() };
        canonical(Block::top_level(&content).enter(extent, &info), &mut info, &[(0, 0)].into(), declared)
    }

    #[test]
    fn definitions_by_module() {
        let mut writer = BlockWriter::new(4);
        let mut records = index(1, 2);
        if let Some((_, values)) = records.last_mut() {
            values[1] = 5;
        }
        for (code, values) in &records {
            writer.record(*code, values.iter().copied());
        }
        let content = writer.finish();
        let mut info = BlockInfo::default();
        let extent = Extent { id: 20, width: 4, start: 0, end: content.len() };
        let said = read(Block::top_level(&content).enter(extent, &info), &mut info).unwrap();
        assert_eq!(said.flags, 1121);
        let of = |guid: u64| Definitions { guids: [guid].into(), dso_local: [guid].into() };
        assert_eq!(said.definitions, Some([(0, of(7)), (5, of(9))].into()));
        assert_eq!(guid(&[0, 1, 2]), Some(1 << 32 | 2));
    }

    /// Function `f` (GUID 7) refers to variable `v` (GUID 9) and calls itself.
    fn index(f: u64, v: u64) -> Vec<Plain> {
        let function = (COMBINED_PROFILE, vec![f, 0, 96, 5, 64, 0, 1, 1, 0, v, f, 8]);
        let variable = (COMBINED_GLOBALVAR_INIT_REFS, vec![v, 0, 97, 0, f]);
        let guids = [(VALUE_GUID, vec![f, 0, 7]), (VALUE_GUID, vec![v, 0, 9])];
        let mut records = vec![(VERSION, vec![12]), (FLAGS, vec![1121])];
        if f < v {
            records.extend(guids);
            records.extend([function, variable]);
        } else {
            records.extend(guids.into_iter().rev());
            records.extend([variable, function]);
        }
        records
    }

    #[test]
    fn another_numbering_is_the_same_index() {
        assert_eq!(block(&index(1, 2)), block(&index(2, 1)));
        assert_eq!(block(&index(1, 2)), block(&index(5, 3)));
        assert_eq!(block(&index(1, 2)).unwrap(), index(1, 2));
    }

    /// The functions of an index, each with the functions that it refers to and calls; `numbers` has the number of each, and the
    /// functions stand in the order of their numbers.
    fn functions(edges: &[(Vec<usize>, Vec<usize>)], numbers: &[u64]) -> Vec<Plain> {
        let number = |function: &usize| numbers[function % numbers.len()];
        let mut summaries: Vec<Plain> = edges
            .iter()
            .enumerate()
            .map(|(function, (references, calls))| {
                let head = vec![number(&function), 0, 96, 5, 64, 0, references.len() as u64, 0, 0];
                let calls = calls.iter().flat_map(|callee| [number(callee), 8]);
                (COMBINED_PROFILE, head.into_iter().chain(references.iter().map(number)).chain(calls).collect())
            })
            .collect();
        summaries.sort_by(|(_, left), (_, right)| left.cmp(right));
        let guids =
            numbers.iter().enumerate().map(|(function, number)| (VALUE_GUID, vec![*number, 0, function as u64]));
        [(VERSION, vec![12]), (FLAGS, vec![1121])].into_iter().chain(guids).chain(summaries).collect()
    }

    proptest::proptest! {
        /// lld numbers values by hash tables; the canonical index does not depend on it.
        #[test]
        fn no_numbering_is_seen(
            edges in proptest::collection::vec(
                (proptest::collection::vec(0_usize..9, 0..4), proptest::collection::vec(0_usize..9, 0..4)),
                1..9,
            ),
            shuffled in proptest::sample::subsequence((1_u64..40).collect::<Vec<_>>(), 9)
                .prop_shuffle(),
        ) {
            let plain: Vec<u64> = (1..).take(edges.len()).collect();
            let other = &shuffled[..edges.len()];
            let canonical = block(&functions(&edges, &plain));
            proptest::prop_assert!(canonical.is_some());
            proptest::prop_assert_eq!(block(&functions(&edges, other)), canonical);
        }
    }

    #[test]
    fn a_declared_value_has_a_summary_unless_it_has_one() {
        let guids = BTreeSet::from([8, 9]);
        let with = with_declared(&index(1, 2), Some(Declared { module: 0, guids: &guids })).unwrap();
        let mut expected = index(1, 3);
        expected.insert(3, (VALUE_GUID, vec![2, 0, 8]));
        expected.insert(6, (COMBINED_GLOBALVAR_INIT_REFS, vec![2, 0, LIVE | DSO_LOCAL, 0]));
        expected[5..].sort_by_key(|(_, values)| values[0]);
        assert_eq!(with, {
            let (head, summaries) = expected.split_at(5);
            let mut summaries = summaries.to_vec();
            summaries.sort_by(|(_, left), (_, right)| left.cmp(right));
            [head, &summaries].concat()
        });
        let none = BTreeSet::from([7, 9]);
        assert_eq!(with_declared(&index(1, 2), Some(Declared { module: 0, guids: &none })), Some(index(1, 2)));
    }

    /// As LLVM 16 writes it. Before it was known, C++ with split type metadata had other code.
    #[test]
    fn a_function_whose_calls_have_no_hotness() {
        let without = |f: u64, v: u64| {
            let mut records = index(f, v);
            let function = records.iter_mut().find(|(code, _)| *code == COMBINED_PROFILE).unwrap();
            *function = (COMBINED, vec![f, 0, 96, 5, 64, 0, 1, 1, 0, v, f, v]);
            records
        };
        assert_eq!(block(&without(1, 2)).unwrap(), without(1, 2));
        assert_eq!(block(&without(1, 2)), block(&without(2, 1)));
        let mut odd = without(1, 2);
        odd.iter_mut().find(|(code, _)| *code == COMBINED).unwrap().1[6] = 9;
        assert_eq!(block(&odd), None, "more references than there are");
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        assert_eq!(block(&[(VERSION, vec![12]), (34, vec![1])]), None);
        assert_eq!(block(&[(VERSION, vec![12]), (ORIGINAL_NAME, vec![1])]), None, "of what?");
        assert_eq!(block(&[index(1, 2), vec![(TYPE_TESTS, vec![1])]].concat()), None, "of which function?");
        assert_eq!(block(&[(COMBINED_GLOBALVAR_INIT_REFS, vec![1, 0, 97, 0])]), None);
        let mut odd = index(1, 2);
        odd[4].1.pop();
        assert_eq!(block(&odd), None);
    }

    /// What is of the function of [`index`] goes where it goes, and of the whole index stays behind.
    #[test]
    fn parts_of_a_summary_stay_with_it() {
        let with_parts = |f: u64, v: u64| {
            let mut records = index(f, v);
            let at = records.iter().position(|(code, _)| *code == COMBINED_PROFILE).unwrap();
            records.insert(at + 1, (ORIGINAL_NAME, vec![77]));
            records.insert(at, (CALLSITE_INFO, vec![f, 1, 1, 0, 0]));
            records.insert(at, (CALLSITE_INFO, vec![0, 1, 1, 1, 0]));
            records.insert(at, (PARAM_ACCESS, vec![0, 2, 4, 2, 5, f, 2, 4, 6, v, 8, 9, 1, 2, 4, 0]));
            records.insert(at, (TYPE_TESTS, vec![12345]));
            records.insert(4, (STACK_IDS, vec![1003, 1004]));
            records.push((TYPE_ID, vec![0, 6, 5, 0, 0]));
            records.push((BLOCK_COUNT, vec![3]));
            records
        };
        let (one, other) = (block(&with_parts(1, 2)), block(&with_parts(2, 1)));
        assert_eq!(one, Some(with_parts(1, 2)));
        assert_eq!(one, other);
        let mut odd = with_parts(1, 2);
        let access = odd.iter_mut().find(|(code, _)| *code == PARAM_ACCESS).unwrap();
        access.1.pop();
        assert_eq!(block(&odd), None);
    }
}
