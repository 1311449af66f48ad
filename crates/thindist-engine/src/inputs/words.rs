//! The words of a link line, with response files expanded and thindist's own flags removed.

use crate::failure::{Result, io};
use crate::settings::{self, Settings};
use std::ffi::OsString;
use std::path::PathBuf;
use thindist_core::lld::link_line::response_file;

/// The words of one line.
#[derive(Debug)]
pub(crate) struct Words {
    /// For lld, if it does the whole link.
    pub(crate) for_lld: ForLld,
    /// Flags of ours, which are in neither.
    pub own: Vec<String>,
    /// Response files expanded. `None`: some are no text, which lld may know what to do with.
    pub expanded: Option<Vec<String>>,
}

/// The line for lld, without our flags.
#[derive(Debug)]
pub(crate) enum ForLld {
    /// As it came.
    AsGiven(Vec<OsString>),
    /// Expanded, because a response file had flags of ours. It may be too long for a command line.
    Expanded(Vec<String>),
}

impl Words {
    /// Reads a line and takes the settings from it, in the order of their flags.
    pub(crate) fn read(settings: &mut Settings, given: Vec<OsString>) -> Result<Self> {
        let text: Option<Vec<String>> = given.iter().map(|word| word.to_str().map(str::to_owned)).collect();
        let Some(expanded) = text.map_or(Ok(None), |text| expand_response_files(&text))? else {
            return Ok(Self {
                for_lld: ForLld::AsGiven(settings.strip_flags(given)?),
                own: Vec::new(),
                expanded: None,
            });
        };
        let is_own = |word: &&OsString| word.to_str().is_some_and(settings::is_flag);
        let (all, on_the_line) = (expanded.len(), given.iter().filter(is_own).count());
        let own = expanded.iter().filter(|word| settings::is_flag(word)).cloned().collect();
        let expanded = settings.strip_flags(expanded)?;
        let for_lld = if all - expanded.len() == on_the_line {
            ForLld::AsGiven(given.into_iter().filter(|word| !is_own(&word)).collect())
        } else {
            ForLld::Expanded(expanded.clone())
        };
        Ok(Self { for_lld, own, expanded: Some(expanded) })
    }
}

/// Replaces each `@file` by the arguments in it, as lld does; one that cannot be read is an argument as it stands.
fn expand_response_files(words: &[String]) -> Result<Option<Vec<String>>> {
    let mut expanded = Vec::with_capacity(words.len());
    // An unknown quoting is lld's to report.
    let Some(tokenize) = quoting(words) else { return Ok(None) };
    let is_text = expand_into(words, tokenize, &mut Vec::new(), &mut expanded)?;
    Ok(is_text.then_some(expanded))
}

/// How response files are quoted; lld asks the words of its command line only.
fn quoting(words: &[String]) -> Option<fn(&str) -> Vec<String>> {
    let apart = words.windows(2).filter_map(|pair| match pair {
        [option, value] if option == "--rsp-quoting" => Some(value.as_str()),
        _ => None,
    });
    let joined = words.iter().filter_map(|word| word.strip_prefix("--rsp-quoting="));
    match apart.chain(joined).last() {
        Some("windows") => Some(response_file::tokenize_windows),
        None | Some("posix") => Some(response_file::tokenize),
        Some(_) => None,
    }
}

/// `false`: a file is not UTF-8, or not to be expanded.
fn expand_into(
    words: &[String],
    tokenize: fn(&str) -> Vec<String>,
    open: &mut Vec<PathBuf>,
    expanded: &mut Vec<String>,
) -> Result<bool> {
    for word in words {
        let Some(path) = word.strip_prefix('@').map(PathBuf::from).filter(|path| path.is_file()) else {
            expanded.push(word.clone());
            continue;
        };
        // One that includes itself is lld's to report.
        if open.contains(&path) {
            return Ok(false);
        }
        let bytes = std::fs::read(&path).map_err(|error| io("read", &path, &error))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(false) };
        open.push(path);
        if !expand_into(&tokenize(&text), tokenize, open, expanded)? {
            return Ok(false);
        }
        open.pop();
    }
    Ok(true)
}
