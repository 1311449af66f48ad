//! Which inputs in-process has loaded, in its order, according to the trace of the thin link.

use super::content::{Content, Member, Place, Surveyed};
use super::kind::kind_of;
use super::survey::Survey;
use crate::failure::{Failure, Result};
use crate::stop::Stop;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thindist_core::lld::link_line::Refusal;
use thindist_core::object::file_kind::FileKind;

/// An input or a member that a line of the trace may mean.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Candidate<'a> {
    Object(&'a Surveyed),
    Member { archive: &'a str, index: usize, member: &'a Member },
}

/// The inputs that lld has loaded, in its order, as far as the survey knows them.
pub(crate) fn in_order<'a>(survey: &'a Survey, trace: &[String]) -> std::result::Result<Vec<Candidate<'a>>, Stop> {
    let candidates = by_trace_name(survey);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace {
        *times.entry(line).or_default() += 1;
    }
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut loaded = Vec::new();
    for line in trace {
        let Some(named) = candidates.get(line.as_str()) else {
            expect_library(survey, line)?;
            continue;
        };
        // Members with one name are told apart by their order, if all of them are linked.
        let all = times.get(line.as_str()) == Some(&named.len());
        if !all && named.len() > 1 && named.iter().any(Candidate::is_native) {
            return Err(Stop::Refused(ambiguous(line)));
        }
        let nth = met.entry(line).or_default();
        loaded.push(*named.get(*nth).ok_or_else(|| Stop::Refused(loaded_again(line)))?);
        *nth += 1;
    }
    Ok(loaded)
}

/// Where the loaded natives are, for a build system that links them itself.
pub(crate) fn files(survey: &Survey, trace: &[String]) -> std::result::Result<Vec<Place>, Stop> {
    let place = |candidate: Candidate<'_>| match candidate {
        Candidate::Object(surveyed) => Place::File(PathBuf::from(&surveyed.path)),
        Candidate::Member { member, .. } => member.place.clone(),
    };
    Ok(in_order(survey, trace)?.into_iter().filter(Candidate::is_native).map(place).collect())
}

/// A file in the trace that the survey does not know is a library, which the final link reads again. A member of an archive on
/// the line that cannot be told would be left out of the output; an object would come behind the LTO objects.
fn expect_library(survey: &Survey, line: &str) -> std::result::Result<(), Stop> {
    let mut archives = survey.flat().into_iter().filter(|input| matches!(input.content, Content::Archive(_)));
    let is_member = |path: &str| line.strip_prefix(path).is_some_and(|rest| rest.starts_with('('));
    if let Some(archive) = archives.find(|archive| is_member(&archive.path)) {
        return Err(Failure::new(format_args!("lld has linked {line}, but {} has no such member", archive.path))
            .hint("was the archive changed during the link? If not, please report this")
            .into());
    }
    let refuse = |reason: &str| Err(Stop::Refused(Refusal { option: line.to_owned(), reason: reason.to_owned() }));
    match kind_of(Path::new(line)) {
        Some(FileKind::ElfRelocatable) => {
            refuse("a linker script names this object, and it and the LTO objects would be in another order")
        }
        None => refuse(
            "a linker script or an object names this library, and its member and the LTO objects would be in another order",
        ),
        Some(_) => Ok(()),
    }
}

fn ambiguous(line: &str) -> Refusal {
    Refusal {
        option: line.to_owned(),
        reason: "several members of the archive have this name, and only some of them are linked".to_owned(),
    }
}

/// Members of an archive that stands twice on the line are known once.
fn loaded_again(line: &str) -> Refusal {
    let reason = "lld has loaded it more often than the line is known to name it".to_owned();
    Refusal { option: line.to_owned(), reason }
}

/// lld's trace names an object by its path and a member as `archive(name)`.
fn by_trace_name(survey: &Survey) -> BTreeMap<String, Vec<Candidate<'_>>> {
    let mut names: BTreeMap<String, Vec<Candidate<'_>>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for surveyed in survey.flat() {
        match &surveyed.content {
            Content::Archive(archive) if seen.insert(Arc::as_ptr(archive)) => {
                for (index, member) in archive.members.iter().enumerate() {
                    let candidate = Candidate::Member { archive: &surveyed.path, index, member };
                    names.entry(member.trace_name.clone()).or_default().push(candidate);
                }
            }
            Content::Native | Content::Binary | Content::Bitcode(_) => {
                names.entry(surveyed.path.clone()).or_default().push(Candidate::Object(surveyed));
            }
            Content::Archive(_) | Content::Shared | Content::Script(_) => {}
        }
    }
    names
}

impl<'a> Candidate<'a> {
    pub(crate) fn is_native(&self) -> bool {
        match self {
            Self::Object(surveyed) => !matches!(surveyed.content, Content::Bitcode(_)),
            Self::Member { member, .. } => member.kind == FileKind::ElfRelocatable,
        }
    }

    /// The content of a native object; `None` of what is only data.
    pub(crate) fn object(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Object(surveyed) if matches!(surveyed.content, Content::Binary) => Ok(None),
            Self::Object(surveyed) => Place::File(PathBuf::from(&surveyed.path)).read().map(Some),
            Self::Member { member, .. } => member.place.read().map(Some),
        }
    }

    pub(crate) fn trace_name(&self) -> &'a str {
        match self {
            Self::Object(surveyed) => &surveyed.path,
            Self::Member { member, .. } => &member.trace_name,
        }
    }

    /// lld's module identifier, if it is bitcode.
    pub(crate) fn identifier(&self) -> &'a str {
        match self {
            Self::Object(surveyed) => &surveyed.path,
            Self::Member { member, .. } => &member.identifier,
        }
    }

    pub(crate) fn member(&self) -> Option<(&'a str, usize)> {
        match self {
            Self::Object(_) => None,
            Self::Member { archive, index, .. } => Some((archive, *index)),
        }
    }
}
