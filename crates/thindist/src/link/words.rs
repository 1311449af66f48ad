//! The words of a link line, response files expanded.

use crate::failure::{Failure, Result, io};
use std::path::PathBuf;
use thindist_core::link_line::response_file;

/// Replaces each `@file` by the arguments in it, as lld does; one that cannot be read is an argument as it stands.
pub(crate) fn expand_response_files(words: &[String]) -> Result<Vec<String>> {
    let mut expanded = Vec::with_capacity(words.len());
    expand_into(words, &mut Vec::new(), &mut expanded)?;
    Ok(expanded)
}

fn expand_into(words: &[String], open: &mut Vec<PathBuf>, expanded: &mut Vec<String>) -> Result<()> {
    for word in words {
        let Some(path) = word.strip_prefix('@').map(PathBuf::from).filter(|path| path.is_file()) else {
            expanded.push(word.clone());
            continue;
        };
        if open.contains(&path) {
            return Err(Failure::new(format_args!("{} includes itself", path.display())));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| io("read", &path, &error))?;
        open.push(path);
        expand_into(&response_file::tokenize(&text), open, expanded)?;
        open.pop();
    }
    Ok(())
}
