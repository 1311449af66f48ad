//! Patterns in linker scripts that name files.
//!
//! LTO objects and members of archives have other paths in the final link than in-process. A pattern that matches one of the
//! two names and not the other would put sections elsewhere: such a link is left to in-process. Every word of a script is
//! taken for a pattern; one that is none matches neither name.

use crate::failure::io;
use crate::finish::placing::FileName;
use crate::inputs::kind::kind_of;
use crate::stop::Stop;
use std::path::PathBuf;
use thindist_core::lld::link_line::Refusal;
use thindist_core::lld::linker_script::{file_patterns, matches_file};
use thindist_core::object::file_kind::FileKind;

/// Checks every script among the files that lld has read.
pub(crate) fn check(read: &[PathBuf], renamed: &[(FileName, FileName)]) -> Result<(), Stop> {
    for path in read.iter().filter(|path| kind_of(path) == Some(FileKind::Other)) {
        let script = match std::fs::read(path) {
            Ok(script) => script,
            // What has vanished since is no script of this link.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io("read", path, &error).into()),
        };
        if let Some((pattern, name)) = differing(&String::from_utf8_lossy(&script), renamed) {
            let reason =
                format!("its pattern `{pattern}` concerns {}, which has another path in the final link", name.name);
            return Err(Stop::Refused(Refusal { option: path.display().to_string(), reason }));
        }
    }
    Ok(())
}

/// The first pattern that makes a difference, and the file for which it does.
fn differing(script: &str, renamed: &[(FileName, FileName)]) -> Option<(String, FileName)> {
    let matches = |pattern: &str, file: &FileName| matches_file(pattern, file.archive.as_deref(), &file.name);
    file_patterns(script).find_map(|pattern| {
        let differs =
            |(in_process, here): &&(FileName, FileName)| matches(pattern, in_process) != matches(pattern, here);
        renamed.iter().find(differs).map(|(in_process, _)| (pattern.to_owned(), in_process.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_make_a_difference() {
        let member = (FileName::of(Some("lib/x.a"), "m.o"), FileName::of(Some("/c/loaded/0/x.a"), "m.o"));
        let object = (FileName::of(None, "d/p.lto.a.o"), FileName::of(None, "/c/native/0/p.lto.a.o"));
        let differs = |script: &str| differing(script, &[member.clone(), object.clone()]).map(|(pattern, _)| pattern);
        assert_eq!(differs("SECTIONS { .x : { *x.a:m.o(.text) *p.lto.a.o(.text) *(.data) } }"), None);
        assert_eq!(differs("SECTIONS { .x : { lib/x.a:m.o(.text) } }").as_deref(), Some("lib/x.a:m.o"));
        assert_eq!(differs("SECTIONS { .x : { *(EXCLUDE_FILE(*d/*) .text) } }").as_deref(), Some("*d/*"));
        assert_eq!(differs("SECTIONS { .x : { *native*(.text) } }").as_deref(), Some("*native*"));
    }
}
