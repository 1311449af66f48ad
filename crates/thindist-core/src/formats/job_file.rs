//! A backend action as a file beside its module: `thindist thin-link` writes it for `thindist backend`.
//!
//! The file says what the native object depends on, and nothing that changes without it: of a module that is imported in
//! part it has the digest of that part and not of the module, unless there is debug information in it. So a build
//! system that writes it only when it changes, and compares times, runs the backends that a content key would run.
//!
//! lld's identifier of the module is not in it: an archive member's has an offset, which moves with every symbol that the
//! archive's table gets (on the kernel, one function more rewrote all 1,005 files).
//!
//! JSON, one object, keys in this order: `schema`, `thindist` (the version that wrote it), `bitcode` and `index` (a path
//! and a digest each), `compiler` (path and identity), `arguments`, `imports` (path, and the digest of the part or of the
//! whole), `extra_inputs` (path, where it is if not there, digest), `working_directory_depth`, `elf_machine`. A reader
//! refuses another schema or version: the file is made anew by the next thin link, and is no place to keep anything.

use crate::bitcode::written_by::{self, OtherWriter};
use crate::digest::Digest;
use crate::import_facts::{Part, Traces};
use crate::plan::action::{Action, ExtraInput, ImportedModule};
use serde::{Deserialize, Serialize};

/// Raised whenever a key changes its meaning.
const SCHEMA: u32 = 3;

/// One backend action, by paths where it reads and by digests where it must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    schema: u32,
    thindist: String,
    /// The module's bitcode.
    pub bitcode: String,
    /// Its digest at the thin link.
    pub bitcode_content: Digest,
    /// Its canonical individual index.
    pub index: String,
    /// Its digest.
    pub index_content: Digest,
    /// The compiler.
    pub compiler: Compiler,
    /// The compiler's arguments.
    pub arguments: Vec<String>,
    /// The imported modules, by rank.
    pub imports: Vec<Import>,
    /// Files that assembly or the line names.
    pub extra_inputs: Vec<Extra>,
    /// Directories between the action root and where the compiler runs.
    pub working_directory_depth: u32,
    /// `e_machine` of the native object.
    pub elf_machine: u16,
}

/// The compiler that a job is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compiler {
    /// Where it was.
    pub path: String,
    /// Its identity.
    pub identity: Digest,
}

/// One imported module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Its bitcode.
    pub bitcode: String,
    /// What is imported of it.
    pub taken: Taken,
}

/// What an importer takes of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The digest of the part.
    Part(Digest),
    /// The part and, for its debug information, the module.
    PartWithDebug {
        /// The digest of the part.
        part: Digest,
        /// The digest of the module.
        whole: Digest,
        /// How an object shows it.
        traces: Traces,
    },
    /// The digest of the module.
    Whole(Digest),
}

impl Taken {
    fn of(import: &ImportedModule) -> Self {
        let whole = import.bitcode;
        match import.part.clone() {
            None => Self::Whole(whole),
            Some(Part { digest, debug: None }) => Self::Part(digest),
            Some(Part { digest, debug: Some(traces) }) => Self::PartWithDebug { part: digest, whole, traces },
        }
    }

    /// `None`: the whole module.
    fn part(&self) -> Option<Part> {
        match self.clone() {
            Self::Part(digest) => Some(Part { digest, debug: None }),
            Self::PartWithDebug { part, traces, .. } => Some(Part { digest: part, debug: Some(traces) }),
            Self::Whole(_) => None,
        }
    }
}

/// One file that assembly or the line names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// As assembly names it, or a name in the action root.
    pub path: String,
    /// Where it is, if that is not what it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its content.
    pub content: Digest,
}

/// Where an action's inputs are.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    /// The module's bitcode.
    pub bitcode: &'a str,
    /// Where its index goes.
    pub index: &'a str,
    /// The imported modules, by rank.
    pub imports: &'a [String],
    /// The compiler.
    pub compiler: &'a str,
    /// The extra inputs in the action's order, of each that is not where its path says.
    pub extra_inputs: &'a [Option<String>],
}

/// Why a job file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JobFileError {
    /// It is not what this program writes.
    #[error("not a job file: {0}")]
    Json(#[from] serde_json::Error),
    /// Another program wrote it.
    #[error(transparent)]
    Version(#[from] OtherWriter),
}

impl JobFile {
    /// The file for an action, as this version of thindist writes it.
    #[must_use]
    pub fn new(action: &Action, places: &Places<'_>, version: &str) -> Self {
        let imports = action
            .imports
            .iter()
            .zip(places.imports)
            .map(|(import, path)| Import { bitcode: path.clone(), taken: Taken::of(import) });
        let places_of_extra = places.extra_inputs.iter().cloned().chain(std::iter::repeat(None));
        let extra = action.extra_inputs.iter().zip(places_of_extra);
        let extra = extra.map(|(extra, file)| Extra { path: extra.path.clone(), file, content: extra.digest });
        Self {
            schema: SCHEMA,
            thindist: version.to_owned(),
            bitcode: places.bitcode.to_owned(),
            bitcode_content: action.module,
            index: places.index.to_owned(),
            index_content: action.index,
            compiler: Compiler { path: places.compiler.to_owned(), identity: action.compiler },
            arguments: action.arguments.clone(),
            imports: imports.collect(),
            extra_inputs: extra.collect(),
            working_directory_depth: action.working_directory_depth,
            elf_machine: action.elf_machine,
        }
    }

    /// Reads one that this `version` wrote.
    ///
    /// # Errors
    /// It is no job file, or another version's.
    pub fn parse(bytes: &[u8], version: &str) -> Result<Self, JobFileError> {
        written_by::read(bytes, SCHEMA, version)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None that is known: every field is text, a number or a list of these.
    pub fn to_text(&self) -> Result<String, JobFileError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The action, with the digests of the files as they are now: own bitcode, index, imported modules by rank.
    #[must_use]
    pub fn action(&self, module: Digest, index: Digest, imports: &[Digest]) -> Action {
        let imported = self
            .imports
            .iter()
            .zip(imports)
            .map(|(import, bitcode)| ImportedModule { bitcode: *bitcode, part: import.taken.part() });
        let extra = self.extra_inputs.iter();
        Action {
            compiler: self.compiler.identity,
            arguments: self.arguments.clone(),
            module,
            index,
            imports: imported.collect(),
            extra_inputs: extra.map(|extra| ExtraInput { path: extra.path.clone(), digest: extra.content }).collect(),
            working_directory_depth: self.working_directory_depth,
            elf_machine: self.elf_machine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Action, JobFile) {
        let action = Action {
            compiler: Digest::of(b"clang"),
            arguments: vec!["-O2".into(), "-c".into()],
            module: Digest::of(b"module"),
            index: Digest::of(b"index"),
            imports: vec![
                ImportedModule { bitcode: Digest::of(b"whole"), part: None },
                ImportedModule {
                    bitcode: Digest::of(b"in part"),
                    part: Some(Part { digest: Digest::of(b"part"), debug: None }),
                },
            ],
            extra_inputs: vec![ExtraInput { path: "a b".into(), digest: Digest::of(b"extra") }],
            working_directory_depth: 1,
            elf_machine: 62,
        };
        let imports = ["c.o".to_owned(), "d.o".to_owned()];
        let places = Places {
            bitcode: "m.o",
            index: "m.o.thinlto.bc",
            imports: &imports,
            compiler: "/usr/bin/clang-22",
            extra_inputs: &[],
        };
        (action.clone(), JobFile::new(&action, &places, "1.2.3"))
    }

    #[test]
    fn the_action_comes_back() {
        let (action, file) = sample();
        let read = JobFile::parse(file.to_text().unwrap().as_bytes(), "1.2.3").unwrap();
        assert_eq!(read, file);
        let imports: Vec<Digest> = action.imports.iter().map(|import| import.bitcode).collect();
        assert_eq!(read.action(action.module, action.index, &imports), action);
    }

    #[test]
    fn what_is_not_imported_does_not_change_it() {
        let (mut action, file) = sample();
        action.imports[1].bitcode = Digest::of(b"edited elsewhere");
        let imports = ["c.o".to_owned(), "d.o".to_owned()];
        let places = Places {
            bitcode: "m.o",
            index: "m.o.thinlto.bc",
            imports: &imports,
            compiler: "/usr/bin/clang-22",
            extra_inputs: &[],
        };
        assert_eq!(JobFile::new(&action, &places, "1.2.3"), file);
        action.imports[0].bitcode = Digest::of(b"another whole");
        assert_ne!(JobFile::new(&action, &places, "1.2.3"), file);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let text = sample().1.to_text().unwrap();
        let error = JobFile::parse(text.as_bytes(), "1.2.4").unwrap_err().to_string();
        assert!(error.contains("1.2.3") && error.contains("1.2.4"), "{error}");
        let newer = text.replace("\"schema\": 3", "\"schema\": 4");
        assert!(matches!(
            JobFile::parse(newer.as_bytes(), "1.2.3"),
            Err(JobFileError::Version(OtherWriter { schema: 4, .. }))
        ));
        assert!(matches!(JobFile::parse(b"{", "1.2.3"), Err(JobFileError::Json(_))));
        let more = text.replace("\"bitcode\": \"m.o\"", "\"bitcode\": \"m.o\", \"colour\": 1");
        assert!(matches!(JobFile::parse(more.as_bytes(), "1.2.3"), Err(JobFileError::Json(_))));
    }
}
