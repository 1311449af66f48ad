//! Files that assembly in the bitcode names (`.incbin`, `.include`): found, hashed, and followed.

use super::stop::Stop;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thindist_core::action::ExtraInput;
use thindist_core::asm_inputs::{AsmInput, scan};
use thindist_core::digest::Digest;
use thindist_core::link_line::Refusal;
use thindist_exec::StoreError;
use thindist_exec::state::{FileStamp, State};

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
}

impl NamedFiles {
    /// The extra inputs of a backend whose assembly names `inputs`.
    pub(crate) fn resolve(
        &mut self,
        state: &State,
        module: &str,
        inputs: &[AsmInput],
    ) -> std::result::Result<Vec<ExtraInput>, Stop> {
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

    fn look_up(&mut self, state: &State, module: &str, path: &str, is_text: bool) -> std::result::Result<Named, Stop> {
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
        let named = Named { digest, stamp, names };
        self.known.insert(path.to_owned(), named.clone());
        Ok(named)
    }

    /// The stamp that a named file had when it was hashed.
    pub(crate) fn stamp(&self, path: &str) -> Option<FileStamp> {
        self.known.get(path).map(|named| named.stamp)
    }

    /// All files that were named.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.known.keys().map(PathBuf::from)
    }
}

/// Conditions are not evaluated: the assembler may never get to the directive, and only it knows.
fn unreadable(module: &str, path: &str, error: &std::io::Error) -> Stop {
    let reason = format!("assembly in {module} names it, and it cannot be read ({})", crate::failure::describe(error));
    Stop::Refused(Refusal { option: path.to_owned(), reason })
}
