//! Which native inputs in-process has loaded, and what is left of each library.

use super::kind::kind_of;
use super::overlap;
use super::session::Session;
use super::shown_names::ShownNames;
use super::stop::Stop;
use super::survey::{ArchiveContent, Content, Member, Place, Survey, Surveyed};
use crate::failure::{Failure, Result, io};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thindist_core::archive_writer;
use thindist_core::file_kind::FileKind;
use thindist_core::final_line::{Library, Loaded};
use thindist_core::link_line::Refusal;

/// The native side of the final link.
#[derive(Debug)]
pub(crate) struct Natives {
    /// In the order of loading.
    pub(crate) loaded: Vec<Loaded>,
    /// One for each input of the line.
    pub(crate) libraries: Vec<Library>,
    /// Of archives that were written for it.
    pub(crate) names: ShownNames,
}

/// An input or a member that a line of the trace may mean.
#[derive(Debug, Clone, Copy)]
enum Candidate<'a> {
    Object(&'a Surveyed),
    Member { archive: &'a str, index: usize, member: &'a Member },
}

/// Reads the trace.
pub(crate) fn natives(
    session: &Session,
    survey: &Survey,
    trace: &[String],
    in_bitcode: &BTreeSet<String>,
) -> std::result::Result<Natives, Stop> {
    let loaded = apart_from_bitcode(survey, trace, in_bitcode)?;
    let members: BTreeSet<(&str, usize)> = loaded.iter().filter_map(Candidate::member).collect();
    let mut names = ShownNames::of(session);
    let libraries = remaining(session, survey, &members, &loaded, &mut names)?;
    Ok(Natives { loaded: place(session, &loaded, &mut names)?, libraries, names })
}

/// The native inputs that lld has loaded, in its order; none may share a definition with bitcode.
fn apart_from_bitcode<'a>(
    survey: &'a Survey,
    trace: &[String],
    in_bitcode: &BTreeSet<String>,
) -> std::result::Result<Vec<Candidate<'a>>, Stop> {
    let loaded = in_order(survey, trace)?;
    for candidate in &loaded {
        if let Some(bytes) = candidate.object()?
            && let Some(refusal) = overlap::check(candidate.trace_name(), &bytes, in_bitcode)?
        {
            return Err(Stop::Refused(refusal));
        }
    }
    Ok(loaded)
}

/// The native inputs that lld has loaded, in its order.
fn in_order<'a>(survey: &'a Survey, trace: &[String]) -> std::result::Result<Vec<Candidate<'a>>, Stop> {
    let candidates = by_trace_name(survey);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace {
        *times.entry(line).or_default() += 1;
    }
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut loaded = Vec::new();
    for line in trace {
        let Some(named) = candidates.get(line.as_str()) else {
            expect_from_library(survey, line)?;
            continue;
        };
        // Members with one name are told apart by their order, if all of them are linked.
        let all = times.get(line.as_str()) == Some(&named.len());
        if !all && named.len() > 1 && named.iter().any(Candidate::is_native) {
            return Err(Stop::Refused(ambiguous(line)));
        }
        let nth = met.entry(line).or_default();
        loaded.extend(named.get(*nth).copied().filter(Candidate::is_native));
        *nth += 1;
    }
    Ok(loaded)
}

/// Where the loaded natives are, for a build system that links them itself.
pub(crate) fn files(
    survey: &Survey,
    trace: &[String],
    in_bitcode: &BTreeSet<String>,
) -> std::result::Result<Vec<Place>, Stop> {
    let place = |candidate: Candidate<'_>| match candidate {
        Candidate::Object(surveyed) => Place::File(PathBuf::from(&surveyed.path)),
        Candidate::Member { member, .. } => member.place.clone(),
    };
    Ok(apart_from_bitcode(survey, trace, in_bitcode)?.into_iter().map(place).collect())
}

/// A file in the trace that the survey does not know must come from a library or a script, which the final link reads
/// again. A member of an archive on the line that cannot be told would be left out of the output.
fn expect_from_library(survey: &Survey, line: &str) -> std::result::Result<(), Stop> {
    let ours = survey.inputs.iter().find(|surveyed| {
        let inside = line.strip_prefix(&surveyed.path).is_some_and(|rest| rest.starts_with('('));
        inside && matches!(surveyed.content, Content::Archive(_))
    });
    if let Some(archive) = ours {
        return Err(Failure::new(format_args!("lld has linked {line}, but {} has no such member", archive.path))
            .hint("was the archive changed during the link? If not, please report this")
            .into());
    }
    if kind_of(Path::new(line)) == Some(FileKind::ElfRelocatable) {
        let reason = "a linker script names this object, and it would change places with the LTO objects".to_owned();
        return Err(Stop::Refused(Refusal { option: line.to_owned(), reason }));
    }
    Ok(())
}

fn ambiguous(line: &str) -> Refusal {
    Refusal {
        option: line.to_owned(),
        reason: "several members of the archive have this name, and only some of them are linked".to_owned(),
    }
}

/// lld's trace names an object by its path and a member as `archive(name)`.
fn by_trace_name(survey: &Survey) -> BTreeMap<String, Vec<Candidate<'_>>> {
    let mut names: BTreeMap<String, Vec<Candidate<'_>>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for surveyed in &survey.inputs {
        match &surveyed.content {
            Content::Archive(archive) if seen.insert(Arc::as_ptr(archive)) => {
                for (index, member) in archive.members.iter().enumerate() {
                    let candidate = Candidate::Member { archive: &surveyed.path, index, member };
                    names.entry(member.trace_name.clone()).or_default().push(candidate);
                }
            }
            Content::Native | Content::Binary | Content::Bitcode => {
                names.entry(surveyed.path.clone()).or_default().push(Candidate::Object(surveyed));
            }
            Content::Archive(_) | Content::Library => {}
        }
    }
    names
}

impl<'a> Candidate<'a> {
    fn is_native(&self) -> bool {
        match self {
            Self::Object(surveyed) => !matches!(surveyed.content, Content::Bitcode),
            Self::Member { member, .. } => member.kind == FileKind::ElfRelocatable,
        }
    }

    /// The content of a native object; `None` of what is only data.
    fn object(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Object(surveyed) if matches!(surveyed.content, Content::Binary) => Ok(None),
            Self::Object(surveyed) => Place::File(PathBuf::from(&surveyed.path)).read().map(Some),
            Self::Member { member, .. } => member.place.read().map(Some),
        }
    }

    fn trace_name(&self) -> &'a str {
        match self {
            Self::Object(surveyed) => &surveyed.path,
            Self::Member { member, .. } => &member.trace_name,
        }
    }

    fn as_member(&self) -> Option<&'a Member> {
        match self {
            Self::Object(_) => None,
            Self::Member { member, .. } => Some(member),
        }
    }

    fn member(&self) -> Option<(&'a str, usize)> {
        match self {
            Self::Object(_) => None,
            Self::Member { archive, index, .. } => Some((archive, *index)),
        }
    }
}

/// Names the loaded natives on the final line. Neighbours from one archive share an archive of that name, a regular one
/// also for a thin one's, so that a linker script's `lib.a:member` still finds them.
fn place(session: &Session, loaded: &[Candidate<'_>], names: &mut ShownNames) -> Result<Vec<Loaded>> {
    let neighbours = |a: &Candidate<'_>, b: &Candidate<'_>| matches!((a.member(), b.member()), (Some((a, _)), Some((b, _))) if a == b);
    let mut placed = Vec::new();
    for (number, run) in loaded.chunk_by(neighbours).enumerate() {
        let members: Vec<&Member> = run.iter().filter_map(Candidate::as_member).collect();
        placed.push(match run {
            [Candidate::Object(surveyed), ..] if matches!(surveyed.content, Content::Binary) => {
                Loaded::Binary(surveyed.path.clone())
            }
            [Candidate::Object(surveyed), ..] => Loaded::Object(surveyed.path.clone()),
            [Candidate::Member { archive, .. }, ..] => {
                Loaded::Members(write_archive(session, &format!("loaded/{number}"), archive, &members, names)?)
            }
            [] => continue,
        });
    }
    Ok(placed)
}

fn write_archive(
    session: &Session,
    directory: &str,
    original: &str,
    members: &[&Member],
    names: &mut ShownNames,
) -> Result<String> {
    let name = Path::new(original).file_name().unwrap_or_default().to_string_lossy().into_owned();
    session.make_directory(directory)?;
    let contents = members.iter().map(|member| member.place.read()).collect::<Result<Vec<_>>>()?;
    let named = members.iter().zip(&contents).map(|(member, bytes)| (member.name.as_str(), bytes.as_slice()));
    let archive = archive_writer::regular(&named.collect::<Vec<_>>());
    let path = session.text_path(format!("{directory}/{name}"))?;
    std::fs::write(&path, archive).map_err(|error| io("write", &path, &error))?;
    names.add(&path, original);
    Ok(path)
}

/// What becomes of each input in the part of the line where libraries stand.
fn remaining(
    session: &Session,
    survey: &Survey,
    members: &BTreeSet<(&str, usize)>,
    loaded: &[Candidate<'_>],
    names: &mut ShownNames,
) -> Result<Vec<Library>> {
    let objects: BTreeSet<&str> = loaded
        .iter()
        .filter_map(|candidate| match candidate {
            Candidate::Object(surveyed) => Some(surveyed.path.as_str()),
            Candidate::Member { .. } => None,
        })
        .collect();
    let mut replaced: BTreeMap<&str, Library> = BTreeMap::new();
    let mut libraries = Vec::with_capacity(survey.inputs.len());
    for (number, surveyed) in survey.inputs.iter().enumerate() {
        libraries.push(match &surveyed.content {
            Content::Library => Library::Kept,
            Content::Archive(_) if surveyed.input.whole_archive => Library::Gone,
            Content::Archive(archive) if !archive.has_bitcode() => Library::Kept,
            Content::Archive(archive) => match replaced.get(surveyed.path.as_str()) {
                Some(library) => library.clone(),
                None => {
                    let library = natives_left(session, number, &surveyed.path, archive, members, names)?;
                    replaced.insert(&surveyed.path, library.clone());
                    library
                }
            },
            Content::Native if surveyed.input.in_lib && !objects.contains(surveyed.path.as_str()) => {
                Library::Lazy(surveyed.path.clone())
            }
            Content::Bitcode | Content::Native | Content::Binary => Library::Gone,
        });
    }
    Ok(libraries)
}

/// The archive without bitcode and without what is loaded already.
fn natives_left(
    session: &Session,
    number: usize,
    path: &str,
    archive: &ArchiveContent,
    loaded: &BTreeSet<(&str, usize)>,
    names: &mut ShownNames,
) -> Result<Library> {
    let left: Vec<&Member> = archive
        .members
        .iter()
        .enumerate()
        .filter(|(index, member)| member.kind == FileKind::ElfRelocatable && !loaded.contains(&(path, *index)))
        .map(|(_, member)| member)
        .collect();
    if left.is_empty() {
        return Ok(Library::Gone);
    }
    Ok(Library::Replaced(write_archive(session, &format!("left/{number}"), path, &left, names)?))
}
