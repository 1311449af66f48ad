//! Archives among the inputs: their members and where these are.

use super::fat_objects;
use super::kind::read_kind;
use super::stop::Stop;
use crate::failure::{Failure, Result, io};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use thindist_core::archive::{self, ArchiveError};
use thindist_core::file_kind::{FileKind, file_kind};
use thindist_core::link_line::Refusal;

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
    /// Part of a regular archive or of a FatLTO object, in bytes.
    Part { file: PathBuf, offset: u64, size: u64 },
}

impl Place {
    /// Reads the content.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| io("read", path, &error)),
            Self::Part { file, offset, size } => {
                let read = || {
                    let mut bytes = vec![0; usize::try_from(*size).map_err(std::io::Error::other)?];
                    File::open(file)?.read_exact_at(&mut bytes, *offset)?;
                    Ok(bytes)
                };
                read().map_err(|error| io("read", file, &error))
            }
        }
    }
}

impl ArchiveContent {
    pub(crate) fn has_bitcode(&self) -> bool {
        self.members.iter().any(|member| member.kind == FileKind::Bitcode)
    }
}

pub(crate) fn read(path: &str, file: &File, size: u64, fat: bool) -> std::result::Result<ArchiveContent, Stop> {
    let bytes = map(file, size).map_err(|error| io("read", path, &error))?;
    let parsed = archive::parse(&bytes).map_err(|error| not_read(path, &error))?;
    let mut members = Vec::with_capacity(parsed.members.len());
    for member in &parsed.members {
        let (kind, place) = match member.data {
            Some(data) => {
                let offset = offset_in(&bytes, data);
                (file_kind(data), Place::Part { file: PathBuf::from(path), offset, size: data.len() as u64 })
            }
            None => thin_member(path, member.name)?,
        };
        let (kind, place) = match fat_objects::bitcode_of(kind, &place, fat)? {
            Some(bitcode) => (FileKind::Bitcode, bitcode),
            None => (kind, place),
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
