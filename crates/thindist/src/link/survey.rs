//! What the inputs of a link line are: found, opened, and told apart by their first bytes.

use super::kind::read_kind;
use super::search::Search;
use super::stop::Stop;
use crate::failure::{Failure, Result, io};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thindist_core::archive::{self, ArchiveError};
use thindist_core::file_kind::{FileKind, file_kind};
use thindist_core::link_line::{Input, InputName, LinkLine, Refusal};

/// Every file of a link that the line tells of.
#[derive(Debug)]
pub(crate) struct Survey {
    /// In the order of the line.
    pub(crate) inputs: Vec<Surveyed>,
    /// Scripts and lists beside the inputs.
    read_files: Vec<PathBuf>,
}

/// One input.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) input: Input,
    /// The path as lld names it.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// What an input is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bitcode,
    Native,
    /// Read with `--format=binary`.
    Binary,
    Archive(Arc<ArchiveContent>),
    /// A shared object, a linker script: lld reads it in its place among the libraries.
    Library,
}

/// The members of an archive.
#[derive(Debug)]
pub(crate) struct ArchiveContent {
    pub(crate) members: Vec<Member>,
}

/// One member that is an object.
#[derive(Debug)]
pub(crate) struct Member {
    /// The name in the archive.
    pub(crate) name: String,
    /// lld's module identifier, if it is bitcode.
    pub(crate) identifier: String,
    /// How lld's trace names it: `archive(name)`, the name as it stands in the archive.
    pub(crate) trace_name: String,
    pub(crate) kind: FileKind,
    pub(crate) place: Place,
}

/// Where content is on this host.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file of its own.
    File(PathBuf),
    /// Part of a regular archive, in bytes.
    Part { archive: PathBuf, offset: u64, size: u64 },
}

impl Place {
    /// Reads the content.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| io("read", path, &error)),
            Self::Part { archive, offset, size } => {
                let read = || {
                    let mut bytes = vec![0; usize::try_from(*size).map_err(std::io::Error::other)?];
                    File::open(archive)?.read_exact_at(&mut bytes, *offset)?;
                    Ok(bytes)
                };
                read().map_err(|error| io("read", archive, &error))
            }
        }
    }
}

impl ArchiveContent {
    pub(crate) fn has_bitcode(&self) -> bool {
        self.members.iter().any(|member| member.kind == FileKind::Bitcode)
    }
}

impl Survey {
    /// Looks at every input. `Err` in the second place is the first input that could not be read: without any bitcode
    /// it is lld's to report.
    pub(crate) fn of(line: &LinkLine) -> (Self, std::result::Result<(), Stop>) {
        let search = Search::of(line);
        let mut archives = BTreeMap::new();
        let mut inputs = Vec::new();
        let mut outcome = Ok(());
        for input in line.inputs() {
            match find(&input, &search).and_then(|path| {
                let content = look_at(&input, &path, &mut archives)?;
                Ok((path, content))
            }) {
                Ok((path, content)) => inputs.push(Surveyed { input, path, content }),
                Err(stop) => {
                    // Keeps the positions of `inputs` those of the line.
                    inputs.push(Surveyed { input, path: String::new(), content: Content::Library });
                    outcome = outcome.and(Err(stop));
                }
            }
        }
        let scripts = line.scripts().map(|(_, name)| search.script(name));
        let read_files = line.read_files().map(PathBuf::from).chain(scripts).collect();
        (Self { inputs, read_files }, outcome)
    }

    pub(crate) fn has_bitcode(&self) -> bool {
        self.inputs.iter().any(|input| match &input.content {
            Content::Bitcode => true,
            Content::Archive(archive) => archive.has_bitcode(),
            Content::Native | Content::Binary | Content::Library => false,
        })
    }

    /// Every bitcode candidate by its identifier, with its name in the trace: an archive that stands twice on the line
    /// counts once.
    pub(crate) fn bitcode(&self) -> BTreeMap<&str, (&str, Place)> {
        let mut modules = BTreeMap::new();
        for surveyed in &self.inputs {
            match &surveyed.content {
                Content::Bitcode => {
                    let path = surveyed.path.as_str();
                    modules.insert(path, (path, Place::File(PathBuf::from(path))));
                }
                Content::Archive(archive) => {
                    let bitcode = archive.members.iter().filter(|member| member.kind == FileKind::Bitcode);
                    modules.extend(bitcode.map(|member| {
                        (member.identifier.as_str(), (member.trace_name.as_str(), member.place.clone()))
                    }));
                }
                Content::Native | Content::Binary | Content::Library => {}
            }
        }
        modules
    }

    /// Files that are bitcode.
    pub(crate) fn bitcode_files(&self) -> impl Iterator<Item = PathBuf> {
        self.bitcode().into_values().filter_map(|(_, place)| match place {
            Place::File(path) => Some(path),
            Place::Part { .. } => None,
        })
    }

    /// Every file whose content the link depends on, as far as the line tells.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = self.read_files.clone();
        for surveyed in self.inputs.iter().filter(|surveyed| !surveyed.path.is_empty()) {
            files.push(PathBuf::from(&surveyed.path));
            let Content::Archive(archive) = &surveyed.content else { continue };
            files.extend(archive.members.iter().filter_map(|member| match &member.place {
                Place::File(path) => Some(path.clone()),
                Place::Part { .. } => None,
            }));
        }
        files
    }
}

/// The path of an input, as lld would find it.
fn find(input: &Input, search: &Search<'_>) -> std::result::Result<String, Stop> {
    match &input.name {
        InputName::Path(path) => Ok(path.clone()),
        InputName::Library(library) => search.library(library),
    }
}

fn look_at(
    input: &Input,
    path: &str,
    archives: &mut BTreeMap<String, Arc<ArchiveContent>>,
) -> std::result::Result<Content, Stop> {
    let cannot_open = |error| io("open", path, &error);
    let file = File::open(path).map_err(cannot_open)?;
    let metadata = file.metadata().map_err(cannot_open)?;
    if metadata.is_dir() {
        return Err(Failure::new(format_args!("cannot open {path}: Is a directory"))
            .hint("name an object, an archive or a linker script")
            .into());
    }
    if input.binary {
        return Ok(Content::Binary);
    }
    Ok(match read_kind(&file).map_err(|error| io("read", path, &error))? {
        FileKind::Bitcode => Content::Bitcode,
        FileKind::ElfRelocatable => Content::Native,
        FileKind::Archive | FileKind::ThinArchive => {
            if let Some(known) = archives.get(path) {
                return Ok(Content::Archive(known.clone()));
            }
            let content = Arc::new(read_archive(path, &file, metadata.len())?);
            archives.insert(path.to_owned(), content.clone());
            Content::Archive(content)
        }
        FileKind::ElfShared | FileKind::ElfOther | FileKind::Other => Content::Library,
    })
}

fn read_archive(path: &str, file: &File, size: u64) -> std::result::Result<ArchiveContent, Stop> {
    let bytes = map(file, size).map_err(|error| io("read", path, &error))?;
    let parsed = archive::parse(&bytes).map_err(|error| not_read(path, &error))?;
    let mut members = Vec::with_capacity(parsed.members.len());
    for member in &parsed.members {
        let (kind, place) = match member.data {
            Some(data) => (
                file_kind(data),
                Place::Part { archive: PathBuf::from(path), offset: offset_in(&bytes, data), size: data.len() as u64 },
            ),
            None => thin_member(path, member.name)?,
        };
        members.push(Member {
            name: member.name.to_owned(),
            identifier: archive::identifier(path, member),
            trace_name: format!("{path}({})", member.name),
            kind,
            place,
        });
    }
    Ok(ArchiveContent { members })
}

fn not_read(path: &str, error: &ArchiveError) -> Stop {
    match error {
        ArchiveError::Unsupported { .. } => {
            Stop::Refused(Refusal { option: path.to_owned(), reason: error.to_string() })
        }
        ArchiveError::NotAnArchive | ArchiveError::Truncated { .. } | ArchiveError::Malformed { .. } => {
            Failure::new(format_args!("{path}: {error}")).hint("the archive is damaged; make it again").into()
        }
    }
}

/// A member of a thin archive is a file beside the archive.
fn thin_member(archive: &str, name: &str) -> Result<(FileKind, Place)> {
    let file_path = Path::new(archive).parent().map_or_else(|| PathBuf::from(name), |parent| parent.join(name));
    let missing = |error| {
        io("open", &file_path, &error)
            .hint(format_args!("{archive} is a thin archive and names it; make the archive again"))
    };
    let file = File::open(&file_path).map_err(missing)?;
    let kind = read_kind(&file).map_err(missing)?;
    Ok((kind, Place::File(file_path)))
}

fn offset_in(whole: &[u8], part: &[u8]) -> u64 {
    (part.as_ptr() as usize - whole.as_ptr() as usize) as u64
}

/// Maps a file, so that of a large archive only the pages with headers are read.
#[expect(unsafe_code, reason = "a map is the only way to look at a large archive's headers without reading it all")]
fn map(file: &File, size: u64) -> std::io::Result<memmap2::Mmap> {
    if size == 0 {
        return memmap2::MmapOptions::new().len(0).map_anon()?.make_read_only();
    }
    // SAFETY: the map is read-only and short-lived. Who truncates an input while it is being linked gets a SIGBUS, as
    // from lld, which maps its inputs as well.
    unsafe { memmap2::Mmap::map(file) }
}
