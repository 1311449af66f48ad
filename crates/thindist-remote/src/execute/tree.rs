//! An input root: directories by content, in the form of the API.

use crate::api;
use crate::blobs::Upload;
use std::collections::BTreeMap;
use std::path::{Component, Path};
use thindist_core::digest::Digest;

/// A directory that is being put together.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, (Digest, bool)>,
    directories: BTreeMap<String, Tree>,
}

impl Tree {
    /// Puts a file at `path`, which is relative to the directory `from`. Each directory that the path names is made, those
    /// that it leaves again by `..` as well: the system looks them up.
    pub(super) fn insert(&mut self, from: &[&str], path: &str, file: (Digest, bool)) -> Result<(), String> {
        let escapes = || format!("the extra input {path} is outside of the input root");
        let mut at: Vec<&str> = from.to_vec();
        let parts: Vec<Component<'_>> = Path::new(path).components().collect();
        let Some((Component::Normal(name), way)) = parts.split_last() else { return Err(escapes()) };
        for part in way {
            match part {
                Component::Normal(name) => {
                    at.push(name.to_str().ok_or_else(escapes)?);
                    self.directory(&at);
                }
                Component::ParentDir => drop(at.pop().ok_or_else(escapes)?),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(escapes()),
            }
        }
        let name = name.to_str().ok_or_else(escapes)?;
        let directory = self.directory(&at);
        if directory.directories.contains_key(name) || directory.files.insert(name.to_owned(), file).is_some() {
            return Err(format!("the extra input {path} has the name of another input"));
        }
        Ok(())
    }

    fn directory(&mut self, path: &[&str]) -> &mut Self {
        path.iter().fold(self, |at, name| at.directories.entry((*name).to_owned()).or_default())
    }

    /// The digest of the whole; the messages that it consists of are added to `blobs`.
    pub(super) fn seal(&self, blobs: &mut Vec<Upload>) -> Digest {
        let file = |(name, (digest, is_executable)): (&String, &(Digest, bool))| api::FileNode {
            name: name.clone(),
            digest: Some(api::digest(digest)),
            is_executable: *is_executable,
            node_properties: None,
        };
        let files = self.files.iter().map(file).collect();
        let directories = self
            .directories
            .iter()
            .map(|(name, tree)| api::DirectoryNode { name: name.clone(), digest: Some(api::digest(&tree.seal(blobs))) })
            .collect();
        let directory = api::Directory { files, directories, ..api::Directory::default() };
        add(blobs, &directory)
    }
}

/// Adds a message to `blobs`.
pub(super) fn add(blobs: &mut Vec<Upload>, message: &impl prost::Message) -> Digest {
    let bytes = message.encode_to_vec();
    let digest = Digest::of(&bytes);
    blobs.push(Upload::bytes(digest, bytes.into()));
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: [&str; 1] = ["d"];

    fn check(path: &str, expect: Result<(), &str>) {
        let mut tree = Tree::default();
        tree.insert(&FROM, "module.bc", (Digest::of(b"module"), false)).unwrap();
        let found = tree.insert(&FROM, path, (Digest::of(b"extra"), false));
        match expect {
            Ok(()) => assert_eq!(found, Ok(()), "{path}"),
            Err(text) => assert!(found.unwrap_err().contains(text), "{path}"),
        }
    }

    #[test]
    fn a_file_lands_in_the_root_or_is_refused() {
        check("a/b", Ok(()));
        check("../x", Ok(()));
        check("a/../../x", Ok(()));
        check("../../x", Err("outside"));
        check("/etc/passwd", Err("outside"));
        check("module.bc", Err("the name of another"));
        check("..", Err("outside"));
    }

    #[test]
    fn a_tree_is_named_by_its_content_and_nothing_else() {
        let seal = |paths: &[&str]| {
            let mut tree = Tree::default();
            paths.iter().for_each(|path| tree.insert(&[], path, (Digest::of(b"x"), false)).unwrap());
            tree.seal(&mut Vec::new())
        };
        assert_eq!(seal(&["a/x", "b"]), seal(&["b", "a/x"]));
        assert_ne!(seal(&["a/x", "b"]), seal(&["a/y", "b"]));
        // A directory that is only passed through is there.
        assert_ne!(seal(&["a/../b"]), seal(&["b"]));
    }
}
