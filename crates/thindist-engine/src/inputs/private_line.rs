//! The user's line with a private output and without any other file that it would write.

use crate::failure::{Failure, Result};
use crate::session::workspace::Session;
use std::path::{Path, PathBuf};
use thindist_core::lld::link_line::options::{Lto, Role};
use thindist_core::lld::link_line::{ArgumentKind, LinkLine};

/// Gives the line of a link another output, in a directory of the link's own, and no other file that it would write.
pub(crate) fn take_private_output(session: &mut Session, directory: &str) -> Result<PathBuf> {
    let output = session.workspace.make_directory(directory)?.join(file_name(session.line.output()));
    let words = [plain_words(&session.line), to(&output)].concat();
    session.line = LinkLine::parse(&words).map_err(Failure::of)?;
    Ok(output)
}

/// The user's words without what would write the user's files, or let lld's cache answer for the compiler.
pub(crate) fn plain_words(line: &LinkLine) -> Vec<String> {
    let kept = line.arguments().iter().filter(|argument| match &argument.kind {
        ArgumentKind::Option(spec, _) => {
            let is_of_side_files = matches!(spec.role, Role::Lto(Lto::Carried(how)) if how.is_of_side_files());
            let is_else =
                matches!(spec.role, Role::Output | Role::Writes(_) | Role::SelectionReport | Role::Lto(Lto::LldCache));
            !is_of_side_files && !is_else
        }
        ArgumentKind::File(_) | ArgumentKind::Unknown(_) => true,
    });
    kept.flat_map(|argument| argument.words.iter().cloned()).collect()
}

/// `-o` and its value.
pub(crate) fn to(output: &Path) -> Vec<String> {
    vec!["-o".to_owned(), output.to_string_lossy().into_owned()]
}

/// What the user's output is called, for one of ours in another directory.
pub(crate) fn file_name(path: &str) -> PathBuf {
    Path::new(path).file_name().map_or_else(|| PathBuf::from("output"), PathBuf::from)
}
