//! The inputs of a link line: found, opened, and classified by their first bytes.

use super::content::{ArchiveContent, Content, Place, Surveyed};
use super::kind::read_kind;
use super::scripts;
use super::search::Search;
use super::{archives, fat_objects};
use crate::failure::{Failure, io};
use crate::parallel;
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::lld::link_line::{Input, InputName, LinkLine};
use thindist_core::object::file_kind::FileKind;

/// Every file of a link that the line tells of.
#[derive(Debug)]
pub(crate) struct Survey {
    /// In the order of the line.
    pub(crate) inputs: Vec<Surveyed>,
    /// Scripts and lists beside the inputs.
    read_files: Vec<PathBuf>,
}

/// What is known while inputs are looked at.
struct Look<'a> {
    search: &'a Search<'a>,
    line: &'a LinkLine,
    /// Native objects with bitcode in them are taken for bitcode.
    fat: bool,
    /// An archive that stands twice on the line is read once.
    archives: BTreeMap<String, Arc<ArchiveContent>>,
    /// Scripts that are being read.
    open_scripts: Vec<String>,
}

impl Survey {
    /// Looks at every input. `Err` in the second place is the first input that could not be read: without any bitcode
    /// it is lld's to report.
    pub(crate) fn of(line: &LinkLine) -> (Self, std::result::Result<(), Stop>) {
        let search = Search::of(line);
        let fat = line.reads_fat_objects();
        let mut reading = Look { search: &search, line, fat, archives: BTreeMap::new(), open_scripts: Vec::new() };
        let mut inputs = Vec::new();
        let mut outcome = Ok(());
        let found: Vec<(std::result::Result<String, Stop>, Input)> =
            line.inputs().into_iter().map(|input| (find(&input, &search), input)).collect();
        let first = |(path, input): &(std::result::Result<String, Stop>, Input)| {
            Ok(path.as_ref().ok().map(|path| First::of(path, input)))
        };
        let first = match parallel::map(&found, first) {
            Ok(first) => first,
            Err(failure) => return (Self { inputs, read_files: Vec::new() }, Err(failure.into())),
        };
        for ((path, input), first) in found.into_iter().zip(first) {
            let surveyed = path.and_then(|path| {
                let first = first.unwrap_or_else(|| First::of(&path, &input))?;
                let content = reading.content(&input, &path, first)?;
                Ok(Surveyed { input: input.clone(), path, content })
            });
            match surveyed {
                Ok(surveyed) => inputs.push(surveyed),
                Err(stop) => {
                    // Keeps the positions of `inputs` those of the line.
                    inputs.push(Surveyed { input, path: String::new(), content: Content::Shared });
                    outcome = outcome.and(Err(stop));
                }
            }
        }
        let scripts = line.scripts().map(|(_, name)| search.script(name));
        let read_files = line.read_files().map(PathBuf::from).chain(scripts).collect();
        (Self { inputs, read_files }, outcome)
    }

    /// Whether any input is bitcode or adds some.
    pub(crate) fn has_bitcode(&self) -> bool {
        self.flat().iter().any(|input| input.has_bitcode())
    }

    /// Every input in lld's order: in place of a script the files that it adds.
    pub(crate) fn flat(&self) -> Vec<&Surveyed> {
        let mut flat = Vec::with_capacity(self.inputs.len());
        self.inputs.iter().for_each(|surveyed| surveyed.flatten_into(&mut flat));
        flat
    }

    /// Every bitcode candidate by its identifier, with its name in the trace: an archive that stands twice on the line
    /// counts once.
    pub(crate) fn bitcode(&self) -> BTreeMap<&str, (&str, Place)> {
        let mut modules = BTreeMap::new();
        for surveyed in self.flat() {
            match &surveyed.content {
                Content::Bitcode(place) => {
                    let path = surveyed.path.as_str();
                    modules.insert(path, (path, place.clone()));
                }
                Content::Archive(archive) => {
                    let bitcode = archive.members.iter().filter(|member| member.kind == FileKind::Bitcode);
                    modules.extend(bitcode.map(|member| {
                        (member.identifier.as_str(), (member.trace_name.as_str(), member.place.clone()))
                    }));
                }
                Content::Native | Content::Binary | Content::Shared | Content::Script(_) => {}
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
        let scripts = self.inputs.iter().filter(|surveyed| matches!(surveyed.content, Content::Script(_)));
        for surveyed in scripts.chain(self.flat()).filter(|surveyed| !surveyed.path.is_empty()) {
            files.push(PathBuf::from(&surveyed.path));
            let Content::Archive(archive) = &surveyed.content else { continue };
            files.extend(archive.members.iter().filter_map(|member| match &member.place {
                Place::File(path) => Some(path.clone()),
                // Of a thin archive's FatLTO object.
                Place::Part { file, .. } if file.as_os_str() != surveyed.path.as_str() => Some(file.clone()),
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

impl scripts::Reading for Look<'_> {
    fn search(&self) -> &Search<'_> {
        self.search
    }

    fn sysroot(&self) -> &str {
        self.line.sysroot()
    }

    fn open_scripts(&mut self) -> &mut Vec<String> {
        &mut self.open_scripts
    }

    fn look_at(&mut self, input: Input, path: String) -> std::result::Result<Surveyed, Stop> {
        let content = self.content(&input, &path, First::of(&path, &input)?)?;
        Ok(Surveyed { input, path, content })
    }
}

/// What the first bytes of a file tell.
#[derive(Debug, Clone, Copy)]
struct First {
    kind: FileKind,
    size: u64,
}

impl First {
    fn of(path: &str, input: &Input) -> std::result::Result<Self, Stop> {
        let cannot_open = |error| io("open", path, &error);
        let file = File::open(path).map_err(cannot_open)?;
        let metadata = file.metadata().map_err(cannot_open)?;
        if metadata.is_dir() {
            return Err(Failure::new(format_args!("cannot open {path}: Is a directory"))
                .hint("name an object, an archive or a linker script")
                .into());
        }
        // Whatever it looks like.
        let kind = if input.binary { Ok(FileKind::Other) } else { read_kind(&file) };
        Ok(Self { kind: kind.map_err(|error| io("read", path, &error))?, size: metadata.len() })
    }
}

impl Look<'_> {
    fn content(&mut self, input: &Input, path: &str, first: First) -> std::result::Result<Content, Stop> {
        if input.binary {
            return Ok(Content::Binary);
        }
        let place = || Place::File(PathBuf::from(path));
        Ok(match first.kind {
            FileKind::Bitcode => Content::Bitcode(place()),
            FileKind::ElfRelocatable => match fat_objects::bitcode_of(FileKind::ElfRelocatable, &place(), self.fat)? {
                Some(bitcode) => Content::Bitcode(bitcode),
                None => Content::Native,
            },
            FileKind::Archive | FileKind::ThinArchive => Content::Archive(self.archive(path, first.size)?),
            FileKind::Other => Content::Script(Arc::new(scripts::read(self, input, path)?)),
            FileKind::ElfShared | FileKind::ElfOther => Content::Shared,
        })
    }

    fn archive(&mut self, path: &str, size: u64) -> std::result::Result<Arc<ArchiveContent>, Stop> {
        if let Some(known) = self.archives.get(path) {
            return Ok(known.clone());
        }
        let file = File::open(path).map_err(|error| io("open", path, &error))?;
        let content = Arc::new(archives::read(path, &file, size, self.fat)?);
        self.archives.insert(path.to_owned(), content.clone());
        Ok(content)
    }
}
