//! Files that assembly in the bitcode names (`.incbin`, `.include`), found, hashed, and followed; and files that the
//! line names for all backends: profiles.

use crate::failure::io;
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thindist_core::action_files::{CS_PROFILE_NAME, LinkFile};
use thindist_core::bitcode::asm_inputs::{AsmInput, scan};
use thindist_core::digest::Digest;
use thindist_core::flags::backend_flags::is_context_sensitive;
use thindist_core::lld::link_line::Refusal;
use thindist_core::plan::action::ExtraInput;
use thindist_exec::{FileStamp, State, StoreError};

/// Every file that any backend's assembly has named so far.
#[derive(Debug, Default)]
pub(crate) struct NamedFiles {
    known: BTreeMap<String, Named>,
}

#[derive(Debug, Clone)]
struct Named {
    digest: Digest,
    stamp: FileStamp,
    /// What an included file names in turn.
    names: Vec<AsmInput>,
    /// Where it is.
    place: PathBuf,
}

impl NamedFiles {
    /// The files of the line, which are extra inputs of every backend.
    pub(crate) fn declare(&mut self, state: &State, files: &[LinkFile]) -> Result<Vec<ExtraInput>, Stop> {
        let mut declared = Vec::with_capacity(files.len());
        for LinkFile { name, path } in files {
            let place = PathBuf::from(path);
            let (digest, stamp) = state.digest_file(&place)?;
            if *name == CS_PROFILE_NAME {
                check_context(path)?;
            }
            declared.push(ExtraInput { path: (*name).to_owned(), digest });
            self.known.insert((*name).to_owned(), Named { digest, stamp, names: Vec::new(), place });
        }
        Ok(declared)
    }

    /// The extra inputs of a backend whose assembly names `inputs`.
    pub(crate) fn resolve(
        &mut self,
        state: &State,
        module: &str,
        inputs: &[AsmInput],
    ) -> Result<Vec<ExtraInput>, Stop> {
        let mut found = BTreeMap::new();
        let mut open: Vec<AsmInput> = inputs.to_vec();
        while let Some(input) = open.pop() {
            let (path, is_text) = match input {
                AsmInput::Incbin(path) => (path, false),
                AsmInput::Include(path) => (path, true),
                AsmInput::Unresolvable { directive, text } => {
                    return Err(Stop::Refused(Refusal {
                        option: format!("{directive} {text} in {module}"),
                        reason: "its file is known only to the assembler".to_owned(),
                    }));
                }
            };
            if found.contains_key(&path) {
                continue;
            }
            let named = self.look_up(state, module, &path, is_text)?;
            open.extend(named.names);
            found.insert(path, named.digest);
        }
        Ok(found.into_iter().map(|(path, digest)| ExtraInput { path, digest }).collect())
    }

    fn look_up(&mut self, state: &State, module: &str, path: &str, is_text: bool) -> Result<Named, Stop> {
        if let Some(named) = self.known.get(path) {
            return Ok(named.clone());
        }
        let (digest, stamp) = state.digest_file(Path::new(path)).map_err(|error| match error {
            StoreError::Io { source, .. } => unreadable(module, path, &source),
            other => other.into(),
        })?;
        let names = if is_text {
            let text = std::fs::read(path).map_err(|error| unreadable(module, path, &error))?;
            scan(&String::from_utf8_lossy(&text), false)
        } else {
            Vec::new()
        };
        let named = Named { digest, stamp, names, place: PathBuf::from(path) };
        self.known.insert(path.to_owned(), named.clone());
        Ok(named)
    }

    /// The stamp that a named file had when it was hashed.
    pub(crate) fn stamp(&self, path: &str) -> Option<FileStamp> {
        self.known.get(path).map(|named| named.stamp)
    }

    /// Where a named file is.
    pub(crate) fn place<'a>(&'a self, path: &'a str) -> &'a Path {
        self.known.get(path).map_or(Path::new(path), |named| &named.place)
    }

    /// All files that were named.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.known.values().map(|named| named.place.clone())
    }
}

/// clang would not heed one that has no context, where in-process LTO fails on it.
fn check_context(path: &str) -> Result<(), Stop> {
    let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    if is_context_sensitive(&bytes) {
        return Ok(());
    }
    let reason = "it is not an indexed profile with context-sensitive counters".to_owned();
    Err(Stop::Refused(Refusal { option: format!("--lto-cs-profile-file={path}"), reason }))
}

/// Conditions are not evaluated: the assembler may never get to the directive, and only it knows.
fn unreadable(module: &str, path: &str, error: &std::io::Error) -> Stop {
    let reason = format!("assembly in {module} names it, and it cannot be read ({})", crate::failure::describe(error));
    Stop::Refused(Refusal { option: path.to_owned(), reason })
}
