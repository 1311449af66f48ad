//! Everything that the final link reads: natives, LTO objects, libraries, and the order of symbols.
//!
//! The parts know one another's results: what natives lose depends on what LTO objects define, which members come late depends
//! on what those refer to, and what is left of an archive depends on both.

use super::order::{self, Order};
use super::overlap::{self, InBitcode};
use super::parts::Parts;
use super::placing::{FileName, Native, Placing};
use super::visibility::Lost;
use crate::failure::{Failure, Result, io};
use crate::inputs::loaded::{self, Candidate};
use crate::inputs::survey::Survey;
use crate::inputs::symbol_tables::{self, ObjectSymbols};
use crate::parallel;
use crate::session::doubts::Doubts;
use crate::session::lto_object::LtoObject;
use crate::session::shown_names::ShownNames;
use crate::session::workspace::Session;
use crate::stop::Stop;
use std::collections::BTreeSet;
use std::path::Path;
use thindist_core::lld::final_line::{Library, Loaded};
use thindist_core::lld::ir_symbols::BitcodeSymbols;
use thindist_core::lld::link_line::{LinkLine, OutputKind, Refusal};
use thindist_core::lld::symbol_order::Symbol;

/// The inputs of the final link.
#[derive(Debug)]
pub(crate) struct NativeSide {
    /// Natives in the order of loading, then LTO objects.
    pub(crate) loaded: Vec<Loaded>,
    /// One for each input of the line.
    pub(crate) libraries: Vec<Library>,
    /// Symbols in in-process' order.
    pub(crate) symbols: Vec<String>,
    /// Of files that were written for it.
    pub(crate) names: ShownNames,
    /// Files that have another name than in-process.
    pub(crate) renamed: Vec<(FileName, FileName)>,
}

/// A native input with what it is and defines.
struct Read {
    bytes: Option<Vec<u8>>,
    symbols: ObjectSymbols,
}

impl NativeSide {
    pub(crate) fn of(
        session: &Session,
        survey: &Survey,
        parts: &Parts<'_>,
        objects: &[LtoObject],
    ) -> std::result::Result<Self, Stop> {
        let loaded = loaded::in_order(survey, parts.trace)?;
        let tables = parallel::map(objects, read_lto_object)?;
        let read = parallel::map(&loaded, read_native)?;
        let mut early = edit(session, parts.bitcode, &loaded, &read, &tables)?;
        let natives: Vec<ObjectSymbols> = read.into_iter().map(|read| read.symbols).collect();
        let mut order = order::find(session, survey, parts, &tables, &natives)?;
        if parts.doubts == Doubts::Refused {
            expect_no_doubt(session, &order, &loaded, &natives, &tables)?;
        }
        let asked_for: BTreeSet<&str> = session.line.values(&["y", "trace-symbol"]).collect();
        order.names.retain(|name| !asked_for.contains(name.as_str()));
        let (mut late, late_symbols) = late(parts.bitcode, &order)?;
        let all_symbols = || natives.iter().chain(&tables).chain(&late_symbols);
        let mut lost = Lost::of(symbols_of_bitcode(parts.bitcode, &loaded), all_symbols());
        let keeps_groups = session.line.output_kind() == OutputKind::Relocatable;
        let shared = shared_groups(all_symbols().flat_map(|object| &object.groups));
        let edited = edit_objects(objects, &tables, &shared, keeps_groups, &mut lost)?;
        let is_native = |(candidate, _): &(&Candidate<'_>, _)| candidate.is_native();
        let of_natives = loaded.iter().zip(&natives).filter(is_native).map(|(_, symbols)| symbols);
        give(&mut lost, early.iter_mut().zip(of_natives))?;
        give(&mut lost, late.iter_mut().flatten().zip(&late_symbols))?;
        let mut placing = Placing::of(session);
        let all: Vec<&Native<'_>> = early.iter().chain(late.iter().flatten()).collect();
        let libraries = placing.remaining(survey, &all)?;
        let mut placed = placing.place(&early)?;
        let excluded = ExcludedLibraries::of(session, parts)?;
        // Of an order that is not known nothing is.
        if !late.is_empty() && late.len() != objects.len() {
            let what = format_args!("{} LTO objects, and members loaded for {}", objects.len(), late.len());
            return Err(Failure::internal(what).into());
        }
        let mut late = late.iter();
        for (object, edited) in objects.iter().zip(&edited) {
            if let Some(natives) = late.next() {
                placed.extend(placing.place(natives)?);
            }
            let archive = object.archive.as_deref().filter(|archive| excluded.has(archive));
            placed.push(placing.lto_object(&object.path, &object.shown, archive, edited.as_deref())?);
        }
        Ok(Self { loaded: placed, libraries, symbols: order.names, names: placing.names, renamed: placing.renamed })
    }
}

/// Refuses a link of which something may come out otherwise than in-process.
fn expect_no_doubt(
    session: &Session,
    order: &Order<'_>,
    loaded: &[Candidate<'_>],
    natives: &[ObjectSymbols],
    objects: &[ObjectSymbols],
) -> std::result::Result<(), Stop> {
    let is_named = has_named_abi(&session.line);
    let abi = (!is_named && may_differ_in_abi(session.line.output_kind(), loaded, natives, objects))
        .then(|| "an object has an OS/ABI".to_owned());
    match order.doubt.clone().or(abi) {
        None => Ok(()),
        Some(reason) => Err(Stop::Refused(Refusal { option: session.line.output().to_owned(), reason })),
    }
}

/// Whether the line decides the OS/ABI of the output: `-m` does, and for -r lld takes it as it stands (Kbuild's links have it).
fn has_named_abi(line: &LinkLine) -> bool {
    line.output_kind() == OutputKind::Relocatable && line.has_option("m")
}

/// Whether the OS/ABI of the output may be another one than in-process. There lld takes it from the inputs of the line, of
/// which bitcode for Linux has none; here LTO objects are inputs as well. LLVM before 19 takes that of the first file, later
/// ones the first that a file has. Except for -r, lld sets it for what it has linked as well.
fn may_differ_in_abi(
    kind: OutputKind,
    loaded: &[Candidate<'_>],
    natives: &[ObjectSymbols],
    objects: &[ObjectSymbols],
) -> bool {
    let in_process = || natives.iter().map(|native| native.os_abi);
    let of_natives = loaded.iter().zip(natives).filter(|(candidate, _)| candidate.is_native());
    let here: Vec<u8> =
        of_natives.map(|(_, native)| native.os_abi).chain(objects.iter().map(|object| object.os_abi)).collect();
    let first_of_all = in_process().next().unwrap_or_default() == here.first().copied().unwrap_or_default();
    let is_abi = |abi: &u8| *abi != 0;
    let first_that_is_one = in_process().find(is_abi) == here.iter().copied().find(is_abi);
    here.iter().any(is_abi) && !(kind == OutputKind::Relocatable && first_of_all && first_that_is_one)
}

/// The symbols of the bitcode that the thin link has loaded.
fn symbols_of_bitcode<'a>(bitcode: &'a BitcodeSymbols, loaded: &[Candidate<'_>]) -> impl Iterator<Item = &'a Symbol> {
    let loaded = loaded.iter().filter(|candidate| !candidate.is_native());
    loaded.filter_map(|candidate| bitcode.candidates.get(candidate.identifier())?.as_ref()).flat_map(|it| &it.symbols)
}

/// The LTO objects that are others in the final link.
fn edit_objects(
    objects: &[LtoObject],
    tables: &[ObjectSymbols],
    shared: &BTreeSet<String>,
    keeps_groups: bool,
    lost: &mut Lost,
) -> std::result::Result<Vec<Option<Vec<u8>>>, Stop> {
    let edit = |(object, table): (&LtoObject, &ObjectSymbols)| {
        let mut edited = overlap::with_all_groups(&object.path, table, shared, keeps_groups)?;
        let original = || std::fs::read(&object.path).map_err(|error| io("read", &object.path, &error));
        lost.give(&object.path, table, &mut edited, original)?.map_err(Stop::Refused)?;
        Ok(edited)
    };
    objects.iter().zip(tables).map(edit).collect()
}

/// Natives with the visibility that is lost without the bitcode.
fn give<'a, 'b: 'a>(
    lost: &mut Lost,
    natives: impl Iterator<Item = (&'a mut Native<'b>, &'a ObjectSymbols)>,
) -> std::result::Result<(), Stop> {
    for (native, symbols) in natives {
        let Native { candidate, edited, .. } = native;
        let original = || Ok(candidate.object()?.map(|bytes| bytes.to_vec()).unwrap_or_default());
        lost.give(Path::new(candidate.trace_name()), symbols, edited, original)?.map_err(Stop::Refused)?;
    }
    Ok(())
}

/// Groups that several files have.
fn shared_groups<'a>(groups: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    groups.filter(|group| !seen.insert(*group)).cloned().collect()
}

fn read_lto_object(object: &LtoObject) -> Result<ObjectSymbols> {
    let bytes = std::fs::read(&object.path).map_err(|error| io("read", &object.path, &error))?;
    symbol_tables::of_object(&object.path, &bytes)
}

fn read_native(candidate: &Candidate<'_>) -> Result<Read> {
    let bytes = if candidate.is_native() { candidate.object()? } else { None };
    let symbols = bytes.as_deref().map(|bytes| symbol_tables::of_object(candidate.trace_name(), bytes)).transpose()?;
    Ok(Read { bytes, symbols: symbols.unwrap_or_default() })
}

/// The loaded natives without what they lose to bitcode.
fn edit<'a>(
    session: &Session,
    bitcode: &BitcodeSymbols,
    loaded: &[Candidate<'a>],
    read: &[Read],
    objects: &[ObjectSymbols],
) -> std::result::Result<Vec<Native<'a>>, Stop> {
    let keeps_groups = session.line.output_kind() == OutputKind::Relocatable;
    let mut before = InBitcode::of(objects, keeps_groups);
    let mut of_natives = BTreeSet::new();
    let mut natives = Vec::new();
    for (candidate, read) in loaded.iter().zip(read) {
        if !candidate.is_native() {
            if let Some(Some(symbols)) = bitcode.candidates.get(candidate.identifier()) {
                before.add_bitcode(symbols, &of_natives);
            }
            continue;
        }
        let name = candidate.trace_name();
        let group = read.symbols.groups.iter().find(|group| bitcode.yielding.contains(*group)).cloned();
        if let Some(shared) = group.or_else(|| before.may_take(&read.symbols)) {
            known_or_refused(bitcode, name, &shared)?;
        }
        let edited = match &read.bytes {
            Some(bytes) => overlap::without_losses(name, bytes, &read.symbols, &before)?.map_err(Stop::Refused)?,
            None => None,
        };
        of_natives.extend(read.symbols.groups.iter().cloned());
        natives.push(Native { candidate: *candidate, edited });
    }
    Ok(natives)
}

/// Refuses the natives of a link that a build system does by itself, all natives first, if any of them defines what in-process
/// bitcode may define.
pub(crate) fn check_order(
    survey: &Survey,
    trace: &[String],
    bitcode: &BitcodeSymbols,
) -> std::result::Result<(), Stop> {
    let groups = bitcode.candidates.values().flatten().flat_map(|known| &known.groups);
    let yielding: BTreeSet<&String> = groups.chain(&bitcode.yielding).collect();
    for candidate in loaded::in_order(survey, trace)?.iter().filter(|candidate| candidate.is_native()) {
        let symbols = read_native(candidate)?.symbols;
        if let Some(shared) = symbols.giving_way().find(|name| yielding.contains(name)) {
            let reason =
                format!("it and bitcode both define `{shared}`, and which definition is taken depends on their order");
            return Err(Stop::Refused(Refusal { option: candidate.trace_name().to_owned(), reason }));
        }
    }
    Ok(())
}

/// Whose definition it is depends on those of all bitcode.
fn known_or_refused(bitcode: &BitcodeSymbols, native: &str, shared: &str) -> std::result::Result<(), Stop> {
    if bitcode.candidates.values().all(Option::is_some) {
        return Ok(());
    }
    let reason = format!("it and bitcode both define `{shared}`, and some bitcode has no table of its symbols");
    Err(Stop::Refused(Refusal { option: native.to_owned(), reason }))
}

/// The members that are loaded for each LTO object, and the symbols of all of them. They come behind all bitcode, so that no group of theirs is taken.
fn late<'a>(
    bitcode: &BitcodeSymbols,
    order: &Order<'a>,
) -> std::result::Result<(Vec<Vec<Native<'a>>>, Vec<ObjectSymbols>), Stop> {
    let mut all_symbols = Vec::new();
    let mut native = |candidate: &Candidate<'a>| {
        let symbols = read_native(candidate)?.symbols;
        if let Some(group) = symbols.groups.iter().find(|group| bitcode.yielding.contains(*group)) {
            let reason = format!("it and bitcode both define `{group}`, and it is loaded for an LTO object");
            return Err(Stop::Refused(Refusal { option: candidate.trace_name().to_owned(), reason }));
        }
        all_symbols.push(symbols);
        Ok(Native { candidate: *candidate, edited: None })
    };
    let late = order.late.iter().map(|natives| natives.iter().map(&mut native).collect());
    let late = late.collect::<std::result::Result<_, Stop>>()?;
    Ok((late, all_symbols))
}

/// `--exclude-libs`: the LTO object of an archive's member has to come from an archive of that name.
struct ExcludedLibraries {
    names: BTreeSet<String>,
}

impl ExcludedLibraries {
    fn of(session: &Session, parts: &Parts<'_>) -> std::result::Result<Self, Stop> {
        let values = session.line.values(&["exclude-libs"]);
        let names: BTreeSet<String> = values.flat_map(|value| value.split([',', ':'])).map(str::to_owned).collect();
        if parts.regular_object.is_some() && !names.is_empty() {
            let reason = "regular LTO makes one object of members and others".to_owned();
            return Err(Stop::Refused(Refusal { option: "--exclude-libs".to_owned(), reason }));
        }
        Ok(Self { names })
    }

    fn has(&self, archive: &str) -> bool {
        let name = Path::new(archive).file_name().unwrap_or_default().to_string_lossy();
        self.names.contains("ALL") || self.names.contains(name.as_ref())
    }
}
