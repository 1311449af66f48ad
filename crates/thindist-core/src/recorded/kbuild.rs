//! The command in a `.foo.o.cmd` file, in which Kbuild records how it built `foo.o`.
//!
//! One line of make: `savedcmd_PATH := COMMAND`, `cmd_PATH` before 6.2, and since 7.2 also `saved_c_flags_PATH := FLAGS`.

use super::RecordError;
use super::words::first_command;
use crate::paths;

/// The variables by their prefixes; what comes first is taken first.
const VARIABLES: [(&str, bool); 3] = [("saved_c_flags_", false), ("savedcmd_", true), ("cmd_", true)];

/// Where Kbuild keeps the command of an object.
#[must_use]
pub fn command_file(object: &str) -> String {
    let (directory, name) = object.rsplit_once('/').map_or(("", object), |(directory, name)| (directory, name));
    let slash = if object.contains('/') { "/" } else { "" };
    format!("{directory}{slash}.{name}.cmd")
}

/// The compiler's arguments in such a file, if they are those of `object`, a path below `here` or cleaned.
///
/// # Errors
/// There is no command in it, or that of another object, or one that needs make or a shell to be read.
pub fn arguments(text: &str, object: &str, here: &str) -> Result<Vec<String>, RecordError> {
    let mut other = None;
    for (prefix, has_compiler) in VARIABLES {
        for line in text.lines() {
            let Some((path, value)) = line.strip_prefix(prefix).and_then(|line| line.split_once(" := ")) else {
                continue;
            };
            if paths::relative(path, here) != paths::relative(object, here) {
                other = Some(path.to_owned());
                continue;
            }
            let words = first_command(&unescape(value)?)?;
            // A wrapper such as ccache may stand before the compiler.
            let compiler =
                if has_compiler { words.iter().take_while(|word| !word.starts_with('-')).count() } else { 0 };
            return Ok(words.into_iter().skip(compiler).collect());
        }
    }
    Err(other.map_or(RecordError::NoCommand, RecordError::OfAnother))
}

/// What make would make of the value.
fn unescape(value: &str) -> Result<String, RecordError> {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            after
        } else if let Some(after) = after.strip_prefix("(pound)") {
            text.push('#');
            after
        } else {
            return Err(RecordError::Make);
        };
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "savedcmd_arch/arm64/kvm/../../../virt/kvm/x.o := ccache clang -D'pr_fmt(fmt)=\"x$(pound)\" fmt' -O2 \
        -c -o x.o x.c ; ./objtool x.o\n\nsource_x.o := x.c\n\ndeps_x.o := \\\n  y.h \\\n";

    #[test]
    fn the_key_is_a_path_and_no_text() {
        let words = arguments(SAVED, "virt/kvm/x.o", "/linux").unwrap();
        assert_eq!(words, ["-Dpr_fmt(fmt)=\"x#\" fmt", "-O2", "-c", "-o", "x.o", "x.c"]);
        assert_eq!(arguments(SAVED, "/linux/virt/kvm/x.o", "/linux").unwrap(), words);
        assert_eq!(arguments(SAVED, "arch/arm64/kvm/../../../virt/kvm/x.o", "/linux").unwrap(), words);
        let other = arguments(SAVED, "lib/x.o", "/linux").unwrap_err();
        assert!(matches!(other, RecordError::OfAnother(path) if path.ends_with("virt/kvm/x.o")));
        assert!(matches!(arguments("", "lib/x.o", "/"), Err(RecordError::NoCommand)));
    }

    #[test]
    fn flags_of_7_2_come_first() {
        let text = format!("{SAVED}saved_c_flags_virt/kvm/x.o := -O1 -fno-PIE\n");
        assert_eq!(arguments(&text, "virt/kvm/x.o", "/linux").unwrap(), ["-O1", "-fno-PIE"]);
        let old = "cmd_a.o := gcc -Os -c a.c\n";
        assert_eq!(arguments(old, "a.o", "/linux").unwrap(), ["-Os", "-c", "a.c"]);
    }

    #[test]
    fn makes_escapes() {
        assert_eq!(unescape("a$$b$(pound)c").unwrap(), "a$b#c");
        assert!(matches!(unescape("$(CC)"), Err(RecordError::Make)));
        assert_eq!(command_file("init/main.o"), "init/.main.o.cmd");
        assert_eq!(command_file("main.o"), ".main.o.cmd");
        assert_eq!(command_file("/main.o"), "/.main.o.cmd");
    }
}
