//! Where a build system has the bitcode of each module, and the names of the files of its steps.
//!
//! A module that is a file has its files beside it. A member of a regular archive is no file, nor is bitcode in a FatLTO
//! object: it is unpacked into `LIST.members`, under a name that does not change when the archive's other members do. A build system gets these names
//! before anything is unpacked.

use super::{text, with_suffix};
use crate::failure::{Failure, Result};
use crate::inputs::content::{Content, Place};
use crate::inputs::survey::Survey;
use crate::session::output_files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use thindist_core::object::file_kind::FileKind;

/// The files of every input that may become part of a link.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Bitcode by lld's identifiers.
    modules: BTreeMap<String, PathBuf>,
    /// Members of regular archives, and bitcode in FatLTO objects, by file and offset.
    members: BTreeMap<(PathBuf, u64), PathBuf>,
}

impl Places {
    /// Of all inputs of a line, for a plan whose list is `list`.
    pub(super) fn of(survey: &Survey, list: &Path) -> Self {
        let mut places = Self::default();
        let mut taken = BTreeSet::new();
        let members = with_suffix(list, ".members");
        let mut part = |places: &mut Self, place: &Place, directory: &Path, name: &str| match place {
            Place::File(path) => relative(path),
            Place::Part { file, offset, .. } => {
                let unpacked = free(&members.join(unpacked(directory, name)), &mut taken);
                places.members.insert((file.clone(), *offset), unpacked.clone());
                unpacked
            }
        };
        let mut known = BTreeSet::new();
        for surveyed in survey.flat() {
            let path = &surveyed.path;
            match &surveyed.content {
                Content::Bitcode(place) if known.insert(path) => {
                    let file = part(&mut places, place, Path::new("objects"), path);
                    places.modules.insert(path.clone(), file);
                }
                Content::Archive(archive) if known.insert(path) => {
                    for member in &archive.members {
                        let file = part(&mut places, &member.place, Path::new(path), &member.name);
                        if member.kind == FileKind::Bitcode {
                            places.modules.insert(member.identifier.clone(), file);
                        }
                    }
                }
                _ => {}
            }
        }
        places
    }

    /// Every bitcode file that a thin link may select.
    pub(super) fn bitcode(&self) -> BTreeSet<&Path> {
        self.modules.values().map(PathBuf::as_path).collect()
    }

    /// The bitcode of a module by its identifier.
    pub(super) fn module(&self, identifier: &str) -> Result<&Path> {
        let place = self.modules.get(identifier).map(PathBuf::as_path);
        place.ok_or_else(|| Failure::internal(format_args!("{identifier} is not a module of the line")))
    }

    /// The file of an input, unpacked if it was none.
    pub(super) fn provide(&self, place: &Place) -> Result<PathBuf> {
        let (file, offset) = match place {
            Place::File(path) => return Ok(path.clone()),
            Place::Part { file, offset, .. } => (file, offset),
        };
        let unpacked = self
            .members
            .get(&(file.clone(), *offset))
            .ok_or_else(|| Failure::internal(format_args!("{}: no member at {offset}", file.display())))?;
        unpack(unpacked, &place.read()?)?;
        Ok(unpacked.clone())
    }
}

/// Writes a member's content.
pub(super) fn unpack(file: &Path, bytes: &[u8]) -> Result<()> {
    output_files::make_parent(file)?;
    output_files::write_if_changed(file, bytes)?;
    Ok(())
}

/// As a build system names it: another checkout has the same job files.
pub(super) fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.strip_prefix(here).map_or(absolute.clone(), Path::to_owned)
}

/// `d/lib.a` and `x/y.o` become `d_lib.a/x_y.o`: neither shells nor make would take a blank in it for a part of a name.
fn unpacked(archive: &Path, member: &str) -> PathBuf {
    let plain = |name: &str| {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-+".contains(character);
        name.chars().map(|character| if is_plain(character) { character } else { '_' }).collect::<String>()
    };
    let member = plain(member);
    let stem = member.strip_suffix(".o").unwrap_or(&member);
    Path::new(&plain(&archive.to_string_lossy())).join(format!("{stem}.o"))
}

/// Members of one name get numbers.
fn free(path: &Path, taken: &mut BTreeSet<PathBuf>) -> PathBuf {
    let stem = path.with_extension("");
    let numbered = (2..).map(|number| PathBuf::from(format!("{}-{number}.o", stem.display())));
    let mut names = std::iter::once(path.to_owned()).chain(numbered);
    let free = names.find(|name| taken.insert(name.clone()));
    free.unwrap_or_else(|| path.to_owned())
}

/// The files of one module's backend.
#[derive(Debug)]
pub(super) struct ModuleFiles {
    pub(super) bitcode: PathBuf,
    /// The bitcode that it imports from, by rank.
    pub(super) imports: Vec<String>,
    pub(super) index: PathBuf,
    pub(super) job: PathBuf,
    pub(super) native: PathBuf,
}

impl ModuleFiles {
    pub(super) fn of(bitcode: &Path, suffix: &str) -> Result<Self> {
        Ok(Self {
            bitcode: bitcode.to_owned(),
            imports: Vec::new(),
            index: with_suffix(bitcode, crate::backends::step_files::INDEX_SUFFIX),
            job: with_suffix(bitcode, crate::backends::step_files::JOB_SUFFIX),
            native: crate::backends::step_files::native_path(&text(bitcode)?, suffix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_names_of_their_own() {
        assert_eq!(unpacked(Path::new("d/lib x.a"), "sub/a b.o"), Path::new("d_lib_x.a/sub_a_b.o"));
        assert_eq!(unpacked(Path::new("l.a"), "x"), Path::new("l.a/x.o"));
        let mut taken = BTreeSet::new();
        let mut next = || free(Path::new("l.a/x.y.o"), &mut taken);
        assert_eq!([next(), next(), next()], ["l.a/x.y.o", "l.a/x.y-2.o", "l.a/x.y-3.o"].map(PathBuf::from));
    }
}
