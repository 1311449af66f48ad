//! What the inputs of a link are, and where their content is.

use crate::failure::{Result, io};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::lld::link_line::Input;
use thindist_core::object::file_kind::FileKind;

/// One input.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) input: Input,
    /// The path as lld names it.
    pub path: String,
    /// The kind of the file, with the place of its bitcode and the files that it adds.
    pub content: Content,
}

/// What an input is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Bitcode, in a file of its own or inside a FatLTO object.
    Bitcode(Place),
    /// A native object whose bitcode, if it has any, lld does not read.
    Native,
    /// Read with `--format=binary`.
    Binary,
    /// An archive, regular or thin, with its members.
    Archive(Arc<ArchiveContent>),
    /// lld reads it in its place among the libraries.
    Shared,
    /// A linker script, or what lld will take for one, with the files that it adds.
    Script(Arc<Script>),
}

impl Surveyed {
    pub(crate) fn flatten_into<'a>(&'a self, flat: &mut Vec<&'a Self>) {
        match &self.content {
            Content::Script(script) => script.files.iter().for_each(|file| file.surveyed.flatten_into(flat)),
            _ => flat.push(self),
        }
    }

    pub(crate) fn has_bitcode(&self) -> bool {
        match &self.content {
            Content::Bitcode(_) => true,
            Content::Archive(archive) => archive.has_bitcode(),
            Content::Script(script) => script.files.iter().any(|file| file.surveyed.has_bitcode()),
            Content::Native | Content::Binary | Content::Shared => false,
        }
    }
}

/// The members of an archive.
#[derive(Debug)]
pub(crate) struct ArchiveContent {
    /// The members, in their order in the archive.
    pub members: Vec<Member>,
}

/// One member that is an object.
#[derive(Debug)]
pub(crate) struct Member {
    /// The name in the archive.
    pub name: String,
    /// lld's module identifier, if it is bitcode.
    pub identifier: String,
    /// How lld's trace names it: `archive(name)`, the name as it stands in the archive.
    pub(crate) trace_name: String,
    /// What the member is; bitcode for a FatLTO object whose bitcode lld reads.
    pub kind: FileKind,
    /// Where the content of the member is.
    pub place: Place,
}

/// Where content is on this host.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file of its own.
    File(PathBuf),
    /// Part of a regular archive or of a FatLTO object, in bytes.
    Part {
        /// The archive or the object.
        file: PathBuf,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        size: u64,
    },
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
    /// Whether any member is bitcode.
    pub(crate) fn has_bitcode(&self) -> bool {
        self.members.iter().any(|member| member.kind == FileKind::Bitcode)
    }
}

/// A script's files.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) files: Vec<ScriptFile>,
    /// It says nothing but the names of files.
    pub(crate) is_list: bool,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct ScriptFile {
    /// How a line would name it.
    pub(crate) word: String,
    pub(crate) as_needed: bool,
    pub(crate) surveyed: Surveyed,
}

impl Script {
    /// Whether the final link cannot read the script again: it would meet a second time what is loaded in front.
    pub(crate) fn adds_objects(&self) -> bool {
        self.files.iter().any(|file| match &file.surveyed.content {
            Content::Bitcode(_) | Content::Native | Content::Binary => true,
            Content::Archive(archive) => archive.has_bitcode() || file.surveyed.input.whole_archive,
            Content::Script(script) => script.adds_objects(),
            Content::Shared => false,
        })
    }
}
