//! The in-process order of symbols, and the members that lld loads for the LTO objects, computed from what the inputs
//! define.

use crate::failure::{Failure, Result};
use crate::finish::parts::Parts;
use crate::inputs::content::{Content, Member, Surveyed};
use crate::inputs::loaded::Candidate;
use crate::inputs::survey::Survey;
use crate::inputs::symbol_tables::{self, ObjectSymbols};
use crate::parallel;
use crate::session::workspace::Session;
use std::collections::BTreeSet;
use std::path::Path;
use thindist_core::lld::final_doubts;
use thindist_core::lld::ir_symbols::BitcodeSymbols;
use thindist_core::lld::link_line::LinkLine;
use thindist_core::lld::symbol_order::{Definition, File, Kind, Resolution, Symbol, Visibility};
use thindist_core::object::file_kind::FileKind;

/// What is known of the order. All of it is empty where lld has loaded other files than foreseen.
#[derive(Debug, Default)]
pub(crate) struct Order<'a> {
    /// Names of symbols, as far as natives or LTO objects have them.
    pub(crate) names: Vec<String>,
    /// For each LTO object the native members that lld loads in front of it.
    pub(crate) late: Vec<Vec<Candidate<'a>>>,
    /// What may come out otherwise than in-process.
    pub(crate) doubt: Option<String>,
}

impl Order<'_> {
    fn unknown() -> Self {
        let doubt = Some("the order in which lld enters symbols is not known".to_owned());
        Self { doubt, ..Self::default() }
    }
}

/// A file that lld reads, before its symbols are known.
struct Input<'a> {
    name: String,
    kind: Kind,
    lazy: bool,
    source: Source<'a>,
}

enum Source<'a> {
    Bitcode { identifier: &'a str },
    Native(Candidate<'a>),
    Shared { path: &'a str },
}

/// Finds the order. `objects` are the LTO objects' symbols, `natives` those of the loaded natives.
pub(crate) fn find<'a>(
    session: &Session,
    survey: &'a Survey,
    parts: &Parts<'_>,
    objects: &[ObjectSymbols],
    natives: &[ObjectSymbols],
) -> Result<Order<'a>> {
    let Parts { trace, bitcode, .. } = *parts;
    let inputs = inputs(survey);
    let Some(files) = parallel::map(&inputs, |input| read(input, bitcode))?.into_iter().collect::<Option<Vec<_>>>()
    else {
        return Ok(Order::unknown());
    };
    let undefined: Vec<&str> = session.line.values(&["u", "undefined"]).collect();
    let mut resolution = Resolution::of(&files, &undefined, session.lld.row());
    if !resolution.agrees_with(trace) {
        return Ok(Order::unknown());
    }
    let entered = entered_by_options(&session.line);
    resolution.enter(&entered.iter().map(String::as_str).collect::<Vec<_>>());
    resolution.reopen_bitcode();
    let known = resolution.names().len();
    let late: Vec<Vec<usize>> = objects.iter().map(|object| resolution.add_object(&object.symbols)).collect();
    let loaded_late = late.iter().flatten().map(|number| at(&files, *number)).collect::<Result<Vec<_>>>()?;
    // Other names are no more than places in lld's table.
    let others = objects.iter().chain(natives).flat_map(|object| &object.symbols);
    let of_late = loaded_late.iter().flat_map(|file| &file.symbols);
    let wanted: BTreeSet<&str> = others.chain(of_late).map(|symbol| stem(&symbol.name)).collect();
    let names =
        resolution.names().iter().take(known).filter(|name| wanted.contains(**name)).map(|name| (*name).to_owned());
    let natives = |numbers: &Vec<usize>| {
        let loaded = numbers.iter().map(|number| at(&inputs, *number)).collect::<Result<Vec<_>>>()?;
        Ok(loaded.into_iter().filter_map(native).collect())
    };
    let symbols = objects.iter().map(|object| object.symbols.as_slice());
    let doubt = final_doubts::doubt(&files, resolution.loaded(), symbols);
    Ok(Order { names: names.collect(), late: late.iter().map(natives).collect::<Result<_>>()?, doubt })
}

/// The file of this number.
fn at<T>(files: &[T], number: usize) -> Result<&T> {
    let missing = || Failure::internal(format_args!("no file {number} among the {} that lld reads", files.len()));
    files.get(number).ok_or_else(missing)
}

fn stem(name: &str) -> &str {
    name.split_once("@@").map_or(name, |(stem, _)| stem)
}

fn native<'a>(input: &Input<'a>) -> Option<Candidate<'a>> {
    match input.source {
        Source::Native(candidate) => Some(candidate),
        Source::Bitcode { .. } | Source::Shared { .. } => None,
    }
}

/// Symbols that are entered between the inputs and the LTO objects.
fn entered_by_options(line: &LinkLine) -> Vec<String> {
    let defined =
        line.values(&["defsym"]).filter_map(|value| value.split_once('=')).map(|(name, _)| name.trim().to_owned());
    let wrapped = line.values(&["wrap"]).flat_map(|name| [format!("__wrap_{name}"), format!("__real_{name}")]);
    defined.chain(wrapped).collect()
}

/// In lld's order.
fn inputs(survey: &Survey) -> Vec<Input<'_>> {
    let mut inputs = Vec::new();
    for surveyed in survey.flat() {
        match &surveyed.content {
            Content::Archive(archive) => {
                let members = archive.members.iter().enumerate();
                inputs.extend(members.filter_map(|(index, member)| member_input(surveyed, index, member)));
            }
            _ => inputs.extend(file_input(surveyed)),
        }
    }
    inputs
}

fn member_input<'a>(archive: &'a Surveyed, index: usize, member: &'a Member) -> Option<Input<'a>> {
    let (kind, source) = match member.kind {
        FileKind::Bitcode => (Kind::Bitcode, Source::Bitcode { identifier: &member.identifier }),
        FileKind::ElfRelocatable => {
            (Kind::Native, Source::Native(Candidate::Member { archive: &archive.path, index, member }))
        }
        _ => return None,
    };
    Some(Input { name: member.trace_name.clone(), kind, lazy: !archive.input.whole_archive, source })
}

fn file_input(surveyed: &Surveyed) -> Option<Input<'_>> {
    let (kind, source) = match &surveyed.content {
        Content::Bitcode(_) => (Kind::Bitcode, Source::Bitcode { identifier: &surveyed.path }),
        Content::Native | Content::Binary => (Kind::Native, Source::Native(Candidate::Object(surveyed))),
        Content::Shared => (Kind::Shared, Source::Shared { path: &surveyed.path }),
        Content::Archive(_) | Content::Script(_) => return None,
    };
    let lazy = surveyed.input.in_lib && matches!(surveyed.content, Content::Bitcode(_) | Content::Native);
    Some(Input { name: surveyed.path.clone(), kind, lazy, source })
}

/// `None`: its symbols cannot be known.
fn read(input: &Input<'_>, bitcode: &BitcodeSymbols) -> Result<Option<File>> {
    let mut soname = None;
    let symbols = match input.source {
        Source::Bitcode { identifier } => match bitcode.candidates.get(identifier).and_then(Option::as_ref) {
            Some(known) => known.symbols.clone(),
            None => return Ok(None),
        },
        Source::Native(candidate) => match candidate.object()? {
            Some(bytes) => symbol_tables::of_object(&input.name, &bytes)?.symbols,
            None => data_symbols(&input.name),
        },
        Source::Shared { path } => {
            let bytes = std::fs::read(path).map_err(|error| crate::failure::io("read", path, &error))?;
            // Damaged ones are lld's to report.
            let Ok(shared) = symbol_tables::of_shared(path, &bytes) else { return Ok(None) };
            soname = shared.soname.or_else(|| Some(default_soname(path)));
            shared.symbols
        }
    };
    Ok(Some(File { name: input.name.clone(), kind: input.kind, lazy: input.lazy, symbols, soname }))
}

/// Of a library without a name of its own it is only guessed at whether two are the same.
fn default_soname(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What lld defines for a file that is read as data.
fn data_symbols(path: &str) -> Vec<Symbol> {
    let name: String =
        path.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect();
    let symbol = |end: &str| Symbol {
        name: format!("_binary_{name}_{end}"),
        definition: Definition::Defined,
        weak: false,
        visibility: Visibility::Default,
    };
    ["start", "end", "size"].map(symbol).into()
}
