//! The native side of the final line: what is loaded, and what is left of each library.

use crate::failure::{Failure, Result, io};
use crate::inputs::content::{ArchiveContent, Content, Member, Script, Surveyed};
use crate::inputs::loaded::Candidate;
use crate::inputs::survey::Survey;
use crate::session::shown_names::ShownNames;
use crate::session::workspace::Session;
use crate::stop::Stop;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use thindist_core::lld::final_line::{Library, Listed, Loaded};
use thindist_core::lld::link_line::Refusal;
use thindist_core::object::archive_writer;
use thindist_core::object::file_kind::FileKind;

/// A native input for the final link.
#[derive(Debug)]
pub(crate) struct Native<'a> {
    pub(crate) candidate: Candidate<'a>,
    /// What it is there, if that is not what it is in its file.
    pub(crate) edited: Option<Vec<u8>>,
}

/// Files for the final line that are written for it.
#[derive(Debug)]
pub(crate) struct Placing<'a> {
    session: &'a Session,
    pub(crate) names: ShownNames,
    /// Files that have another name here: the one in-process, and the one here.
    pub(crate) renamed: Vec<(FileName, FileName)>,
    written: usize,
}

/// A file as a linker script's patterns see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) archive: Option<String>,
    pub(crate) name: String,
}

impl FileName {
    pub(crate) fn of(archive: Option<&str>, name: impl Into<String>) -> Self {
        Self { archive: archive.map(str::to_owned), name: name.into() }
    }
}

impl<'a> Placing<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        Self { session, names: ShownNames::of(session), renamed: Vec::new(), written: 0 }
    }

    /// Names loaded natives on the final line. Neighbours from one archive share an archive of that name, a regular one
    /// also for a thin one's, so that a linker script's `lib.a:member` still finds them.
    pub(crate) fn place(&mut self, natives: &[Native<'_>]) -> Result<Vec<Loaded>> {
        let neighbours = |a: &Native<'_>, b: &Native<'_>| matches!((a.candidate.member(), b.candidate.member()), (Some((a, _)), Some((b, _))) if a == b);
        natives
            .chunk_by(neighbours)
            .filter_map(|run| run.first().map(|first| (first, run)))
            .map(|(first, run)| match first.candidate {
                Candidate::Object(surveyed) if matches!(surveyed.content, Content::Binary) => {
                    Ok(Loaded::Binary(surveyed.path.clone()))
                }
                Candidate::Object(surveyed) => match &first.edited {
                    Some(bytes) => {
                        let path = self.write("loaded", &surveyed.path, bytes)?;
                        self.renamed.push((FileName::of(None, &surveyed.path), FileName::of(None, &path)));
                        Ok(Loaded::Object(path))
                    }
                    None => Ok(Loaded::Object(surveyed.path.clone())),
                },
                Candidate::Member { archive, .. } => Ok(Loaded::Members(self.archive("loaded", archive, run)?)),
            })
            .collect()
    }

    /// An LTO object, whose name in-process is `shown`; as a member of an archive of this name, if one is given. `edited`:
    /// what it is in the final link, if that is not what it is in its file.
    pub(crate) fn lto_object(
        &mut self,
        object: &Path,
        shown: &str,
        archive: Option<&str>,
        edited: Option<&[u8]>,
    ) -> Result<Loaded> {
        let mut text = object.to_string_lossy().into_owned();
        let Some(archive) = archive else {
            if let Some(bytes) = edited {
                text = self.write("lto", &text, bytes)?;
            }
            self.names.add(&text, shown);
            self.renamed.push((FileName::of(None, shown), FileName::of(None, &text)));
            return Ok(Loaded::Object(text));
        };
        let bytes = edited.map_or_else(|| std::fs::read(object), |bytes| Ok(bytes.to_vec()));
        let bytes = bytes.map_err(|error| io("read", object, &error))?;
        let name = object.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = self.write("lto", archive, &archive_writer::regular(&[(&name, &bytes)]))?;
        self.names.add(&format!("{path}({name})"), shown);
        self.renamed.push((FileName::of(None, shown), FileName::of(Some(&path), name)));
        Ok(Loaded::Members(path))
    }

    fn archive(&mut self, directory: &str, original: &str, members: &[Native<'_>]) -> Result<String> {
        let mut contents = Vec::with_capacity(members.len());
        for native in members {
            let Candidate::Member { member, .. } = native.candidate else {
                let name = native.candidate.trace_name();
                return Err(Failure::internal(format_args!("{name} is no member of {original}")));
            };
            contents.push((member.name.as_str(), native.edited.clone().map_or_else(|| member.place.read(), Ok)?));
        }
        let named: Vec<(&str, &[u8])> = contents.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let path = self.write(directory, original, &archive_writer::regular(&named))?;
        let renamed =
            named.iter().map(|(name, _)| (FileName::of(Some(original), *name), FileName::of(Some(&path), *name)));
        self.renamed.extend(renamed);
        Ok(path)
    }

    /// Writes a file that stands for `original` and has its name, in a directory of its own.
    fn write(&mut self, directory: &str, original: &str, bytes: &[u8]) -> Result<String> {
        let name = Path::new(original).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = format!("{directory}/{}", self.written);
        self.written += 1;
        self.session.workspace.make_directory(&directory)?;
        let path = self.session.workspace.text_path(format!("{directory}/{name}"))?;
        std::fs::write(&path, bytes).map_err(|error| io("write", &path, &error))?;
        self.names.add(&path, original);
        Ok(path)
    }

    /// What becomes of each input in the part of the line where libraries stand.
    pub(crate) fn remaining(
        &mut self,
        survey: &'a Survey,
        loaded: &[&Native<'a>],
    ) -> std::result::Result<Vec<Library>, Stop> {
        let mut left = Left::of(loaded);
        survey.inputs.iter().map(|surveyed| self.fate(surveyed, &mut left)).collect()
    }

    fn fate(&mut self, surveyed: &'a Surveyed, left: &mut Left<'a>) -> std::result::Result<Library, Stop> {
        Ok(match &surveyed.content {
            Content::Shared => Library::Kept,
            Content::Script(script) if script.adds_objects() => self.listed(surveyed, script, left)?,
            Content::Script(_) => Library::Kept,
            Content::Archive(_) if surveyed.input.whole_archive => Library::Gone,
            Content::Archive(archive) if !archive.has_bitcode() => Library::Kept,
            Content::Archive(archive) => match left.replaced.get(surveyed.path.as_str()) {
                Some(library) => library.clone(),
                None => {
                    let library = self.natives_left(&surveyed.path, archive, &left.members)?;
                    left.replaced.insert(&surveyed.path, library.clone());
                    library
                }
            },
            Content::Native if surveyed.input.in_lib && !left.objects.contains(surveyed.path.as_str()) => {
                Library::Lazy(surveyed.path.clone())
            }
            Content::Bitcode(_) | Content::Native | Content::Binary => Library::Gone,
        })
    }

    fn listed(
        &mut self,
        surveyed: &'a Surveyed,
        script: &'a Script,
        left: &mut Left<'a>,
    ) -> std::result::Result<Library, Stop> {
        if !script.is_list {
            let reason = "the script names objects, which change places with the LTO objects, and says more than names";
            return Err(Stop::Refused(Refusal { option: surveyed.path.clone(), reason: reason.to_owned() }));
        }
        let listed = script.files.iter().map(|file| {
            let fate = self.fate(&file.surveyed, left)?;
            Ok::<_, Stop>(Listed { word: file.word.clone(), as_needed: file.as_needed, fate })
        });
        Ok(Library::Listed(listed.collect::<std::result::Result<_, _>>()?))
    }

    /// The archive without bitcode and without what is loaded already.
    fn natives_left(
        &mut self,
        path: &'a str,
        archive: &'a ArchiveContent,
        loaded: &BTreeSet<(&str, usize)>,
    ) -> Result<Library> {
        let is_left = |(index, member): &(usize, &Member)| {
            member.kind == FileKind::ElfRelocatable && !loaded.contains(&(path, *index))
        };
        let left: Vec<Native<'_>> = archive
            .members
            .iter()
            .enumerate()
            .filter(is_left)
            .map(|(index, member)| Native {
                candidate: Candidate::Member { archive: path, index, member },
                edited: None,
            })
            .collect();
        if left.is_empty() {
            return Ok(Library::Gone);
        }
        Ok(Library::Replaced(self.archive("left", path, &left)?))
    }
}

/// What has been loaded, and what has become of archives so far.
struct Left<'a> {
    members: BTreeSet<(&'a str, usize)>,
    objects: BTreeSet<&'a str>,
    replaced: BTreeMap<&'a str, Library>,
}

impl<'a> Left<'a> {
    fn of(loaded: &[&Native<'a>]) -> Self {
        let objects = loaded.iter().filter(|native| native.candidate.member().is_none());
        Self {
            members: loaded.iter().filter_map(|native| native.candidate.member()).collect(),
            objects: objects.map(|native| native.candidate.trace_name()).collect(),
            replaced: BTreeMap::new(),
        }
    }
}
