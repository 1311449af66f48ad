//! The forms of line that the index-only way carries: a positive list. lld links anything else.
//!
//! The final link of that way is another line than the user's, and what lld decides by the order of its inputs (which definition
//! wins, which member is loaded) has to come out the same. Random links (`cargo xtask fuzz links`) hold this list against lld.

use crate::link::survey::{Content, Survey, Surveyed};
use thindist_core::link_line::options::Role;
use thindist_core::link_line::{ArgumentKind, LinkLine};
use thindist_core::linker_script;

/// Options that are not about LTO and mean the same in a thin link and in a final link.
const OPTIONS: &[&str] = &[
    "(",
    ")",
    "Bdynamic",
    "Bstatic",
    "L",
    "O",
    "X",
    "as-needed",
    "build-id",
    "build-id=",
    "color-diagnostics",
    "color-diagnostics=",
    "d",
    "discard-locals",
    "dynamic-linker",
    "eh-frame-hdr",
    "end-group",
    "g",
    "gc-sections",
    "h",
    "hash-style",
    "l",
    "library",
    "library-path",
    "library-path=",
    "library=",
    "m",
    "no-color-diagnostics",
    "no-undefined",
    "nostdlib",
    "o",
    "output",
    "output=",
    "pie",
    "pop-state",
    "push-state",
    "r",
    "relocatable",
    "rpath",
    "shared",
    "soname",
    "start-group",
    "static",
    "sysroot",
    "whole-archive",
];

/// Values of `-z` that say nothing of symbols.
const Z: &[&str] = &["noexecstack", "relro", "now", "lazy", "norelro", "separate-code", "noseparate-code"];

/// What of a line is not in the list.
pub(in crate::link) fn not_listed(line: &LinkLine, survey: &Survey) -> Option<String> {
    if line.output() == "-" {
        return Some("the output is the standard output".to_owned());
    }
    let option = line.arguments().iter().find(|argument| match &argument.kind {
        ArgumentKind::Option(spec, value) => match spec.name {
            "z" => !value.as_deref().is_some_and(|value| Z.contains(&value)),
            // Initcalls of a kernel: sections in their order, and nothing else.
            "T" => {
                !(line.has_option("r") || line.has_option("relocatable"))
                    || !value.as_deref().is_some_and(names_sections_only)
            }
            name => !matches!(spec.role, Role::Lto(_)) && !OPTIONS.contains(&name),
        },
        ArgumentKind::File(path) => path.contains('\n'),
        ArgumentKind::Unknown(_) => true,
    });
    if let Some(argument) = option {
        return Some(format!(
            "{} is not among what the index-only way carries",
            argument.words.join(" ").escape_debug()
        ));
    }
    let is_beyond = |input: &&Surveyed| match &input.content {
        Content::Script(script) => !script.is_list,
        Content::Binary => true,
        Content::Bitcode(_) | Content::Native | Content::Archive(_) | Content::Shared => false,
    };
    let input = survey.inputs.iter().find(is_beyond)?;
    Some(format!("{} is an input that the index-only way does not carry", input.path))
}

/// A script that assigns no symbol and names no file.
fn names_sections_only(path: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    linker_script::names_sections_only(&text)
}
