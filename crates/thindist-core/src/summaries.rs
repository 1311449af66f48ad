//! The summaries of an individual index: what they are of, and one order for them.
//!
//! lld numbers an index's values, and orders its summaries, by hash tables whose order depends on module identifiers.
//! An archive member's identifier holds its offset, which moves when an earlier member changes: on the kernel, one
//! function more in lib/bcd.c permuted the numbers in 18 indexes that have nothing to do with it. So values are
//! numbered here by their GUID, modules by their new names, and summaries sorted. Nothing but the numbers changes; a block with a record that is not
//! known, or that depends on its place, is left as it is.

use crate::bitstream::{BitstreamError, Block, BlockInfo, Item, Record};
use std::collections::{BTreeMap, BTreeSet};

const COMBINED_PROFILE: u64 = 5;
const COMBINED_GLOBALVAR_INIT_REFS: u64 = 6;
const COMBINED_ALIAS: u64 = 8;
const VERSION: u64 = 10;
const VALUE_GUID: u64 = 16;
const FLAGS: u64 = 20;
const BLOCK_COUNT: u64 = 22;

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

/// What the summaries say of one module's definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Definitions {
    /// Their GUIDs.
    pub(crate) guids: BTreeSet<u64>,
    /// The ones among them that are `dso_local`.
    pub(crate) dso_local: BTreeSet<u64>,
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
            Item::Record => match record.code {
                FLAGS => flags = record.value(0).unwrap_or(0),
                VALUE_GUID => {
                    guids.extend(record.value(0).zip(guid(&record.values)));
                }
                COMBINED_PROFILE | COMBINED_GLOBALVAR_INIT_REFS | COMBINED_ALIAS => {
                    places = places.zip(place(&record)).map(|(mut places, place)| {
                        places.push(place);
                        places
                    });
                }
                VERSION | BLOCK_COUNT => {}
                _ => places = None,
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
        let definitions = definitions.entry(*module).or_default();
        definitions.guids.insert(guid);
        if flags & DSO_LOCAL != 0 {
            definitions.dso_local.insert(guid);
        }
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

impl Declared<'_> {
    /// Adds a summary for each value that has none. Of a summary in the own module nothing is imported, and what it says of
    /// linkage and the like is for definitions; all that is left of it is the flag.
    fn add(self, guids: &mut Vec<Plain>, summaries: &mut Vec<Plain>) -> Option<()> {
        let mut next = guids.iter().filter_map(|(_, values)| values.first()).max()?.checked_add(1)?;
        let summarised: BTreeSet<u64> = summaries.iter().filter_map(|(_, values)| values.first().copied()).collect();
        let in_halves = guids.iter().any(|(_, values)| values.len() == 3);
        let known: BTreeMap<u64, u64> =
            guids.iter().filter_map(|(_, values)| guid(values).zip(values.first().copied())).collect();
        for new in self.guids {
            let place = known.get(new).copied().unwrap_or(next);
            if summarised.contains(&place) {
                continue;
            }
            if place == next {
                next = next.checked_add(1)?;
                let halves = vec![place, new >> 32, new & 0xffff_ffff];
                guids.push((VALUE_GUID, if in_halves { halves } else { vec![place, *new] }));
            }
            summaries.push((COMBINED_GLOBALVAR_INIT_REFS, vec![place, self.module, LIVE | DSO_LOCAL, 0]));
        }
        Some(())
    }
}

/// The records of a summary block in the one order and with new numbers of modules, or `None` if they have to stay as they
/// are.
pub(crate) fn canonical(
    mut block: Block<'_>,
    info: &mut BlockInfo,
    modules: &BTreeMap<u64, u64>,
    declared: Option<Declared<'_>>,
) -> Option<Vec<Plain>> {
    let mut record = Record::default();
    let (mut head, mut guids, mut summaries, mut tail) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    loop {
        match block.next(info, &mut record).ok()? {
            Item::Block(_) => return None,
            Item::End => break,
            Item::Record => {
                let plain = (record.code, record.values.clone());
                match record.code {
                    VERSION | FLAGS => head.push(plain),
                    VALUE_GUID => guids.push(plain),
                    COMBINED_PROFILE | COMBINED_GLOBALVAR_INIT_REFS | COMBINED_ALIAS => summaries.push(plain),
                    BLOCK_COUNT => tail.push(plain),
                    _ => return None,
                }
            }
        }
    }
    declared.map_or(Some(()), |declared| declared.add(&mut guids, &mut summaries))?;
    // The GUID is all that follows the number: one value, or two halves of 32 bits.
    guids.sort_by(|(_, left), (_, right)| left.get(1..).cmp(&right.get(1..)));
    let mut numbers = BTreeMap::new();
    for (number, (_, values)) in (1_u64..).zip(&mut guids) {
        let place = values.first_mut()?;
        if numbers.insert(*place, number).is_some() {
            return None;
        }
        *place = number;
    }
    for (code, values) in &mut summaries {
        renumber(*code, values, &numbers)?;
        let module = values.get_mut(1)?;
        *module = *modules.get(module)?;
    }
    // An alias is read after what it is an alias of.
    summaries.sort_by(|(left_code, left), (right_code, right)| {
        (*left_code == COMBINED_ALIAS, left).cmp(&(*right_code == COMBINED_ALIAS, right))
    });
    Some([head, guids, summaries, tail].concat())
}

fn renumber(code: u64, values: &mut [u64], numbers: &BTreeMap<u64, u64>) -> Option<()> {
    let places: Vec<usize> = match code {
        // Value, module, flags, aliasee.
        COMBINED_ALIAS => vec![0, 3],
        // Value, module, flags, variable's flags, references.
        COMBINED_GLOBALVAR_INIT_REFS => std::iter::once(0).chain(4..values.len()).collect(),
        // Value, module, flags, instructions, function's flags, entry count, number of references, of read-only and of
        // write-only ones; references; calls, each a value and its hotness.
        _ => {
            let references = usize::try_from(*values.get(6)?).ok()?;
            let calls = 9_usize.checked_add(references)?;
            if calls > values.len() || !(values.len() - calls).is_multiple_of(2) {
                return None;
            }
            std::iter::once(0).chain(9..calls).chain((calls..values.len()).step_by(2)).collect()
        }
    };
    for place in places {
        let value = values.get_mut(place)?;
        *value = *numbers.get(value)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::Extent;
    use crate::bitstream_writer::BlockWriter;

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

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        assert_eq!(block(&[(VERSION, vec![12]), (9, vec![1])]), None);
        assert_eq!(block(&[(COMBINED_GLOBALVAR_INIT_REFS, vec![1, 0, 97, 0])]), None);
        let mut odd = index(1, 2);
        odd[4].1.pop();
        assert_eq!(block(&odd), None);
    }
}
