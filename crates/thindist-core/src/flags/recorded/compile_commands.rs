//! `compile_commands.json`, as CMake, Meson and Bear write it: the command of each object by its path.

use super::RecordError;
use super::words::first_command;
use crate::paths;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Entry {
    directory: String,
    output: Option<String>,
    command: Option<String>,
    arguments: Option<Vec<String>>,
}

/// The compiler's arguments by the cleaned path of the object.
#[derive(Debug, Default)]
pub struct CompileCommands {
    by_object: BTreeMap<String, Vec<String>>,
}

impl CompileCommands {
    /// Reads the file. Entries that make no object are not looked at again.
    ///
    /// # Errors
    /// It is no such file, or a command in it needs a shell to be read.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let entries: Vec<Entry> =
            serde_json::from_slice(bytes).map_err(|error| RecordError::Json(error.to_string()))?;
        let mut by_object = BTreeMap::new();
        for entry in entries {
            let words = match (entry.arguments, entry.command) {
                (Some(words), _) => words,
                (None, Some(command)) => first_command(&command)?,
                (None, None) => continue,
            };
            let written = words.iter().position(|word| word == "-o").and_then(|at| words.get(at + 1).cloned());
            let Some(object) = entry.output.or(written) else { continue };
            let arguments = words.into_iter().skip_while(|word| !word.starts_with('-')).collect();
            by_object.insert(absolute(&object, &entry.directory), arguments);
        }
        Ok(Self { by_object })
    }

    /// The arguments of an object, by its path as seen from `here`.
    ///
    /// # Errors
    /// There is none.
    pub fn arguments(&self, object: &str, here: &str) -> Result<Vec<String>, RecordError> {
        self.by_object.get(&absolute(object, here)).cloned().ok_or(RecordError::NoCommand)
    }
}

fn absolute(path: &str, directory: &str) -> String {
    if path.starts_with('/') { paths::clean(path) } else { paths::clean(&format!("{directory}/{path}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"[
        {"directory": "/b", "file": "../s/a.c", "command": "clang '-DX=\"1 2\"' -O1 -c ../s/a.c -o obj/../a.o"},
        {"directory": "/b", "file": "b.c", "arguments": ["ccache", "clang", "-O3", "-c", "b.c"], "output": "b.o"},
        {"directory": "/b", "file": "c.c", "command": "clang -fsyntax-only c.c"}
    ]"#;

    #[test]
    fn by_the_objects_path() {
        let commands = CompileCommands::read(FILE.as_bytes()).unwrap();
        let check = |object, here, expect: &str| assert_eq!(commands.arguments(object, here).unwrap()[0], expect);
        check("a.o", "/b", "-DX=\"1 2\"");
        check("/b/./a.o", "/elsewhere", "-DX=\"1 2\"");
        check("../b/b.o", "/c", "-O3");
        assert!(matches!(commands.arguments("c.o", "/b"), Err(RecordError::NoCommand)));
        assert!(matches!(CompileCommands::read(b"{}"), Err(RecordError::Json(_))));
    }
}
