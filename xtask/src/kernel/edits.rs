//! The edit that is counted: one function without a caller, at the end of a source file.

use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::Result;
use crate::host::files;
use crate::host::project::Home;

use super::checkout::Kernel;
use super::{config, source};

/// Sources unpacked, edited files as they were, the configuration in place.
pub(crate) fn prepare(kernel: &Kernel, home: &Home) -> Result<()> {
    source::provide(home, &kernel.src)?;
    Edited::all(kernel).iter().try_for_each(Edited::restore)?;
    config::apply(kernel, home, "")
}

/// Everything from here on is ours, so that an interrupted run can be undone.
const MARKER: &str = "\n/* Appended by thindist's checks. */\n";

const OF_PROMOTED: &[(&str, &str)] =
    &[("fs/dcache.c", "dcache.o"), ("kernel/fork.c", "fork.o"), ("mm/slub.c", "slub.o"), ("net/core/dev.c", "dev.o")];

/// A source file that an edit adds a function to.
#[derive(Debug)]
pub(crate) struct Edited {
    path: PathBuf,
    /// Its name in the tree.
    source: &'static str,
    /// Its object, as an archive's member.
    pub(crate) object: &'static str,
}

impl Edited {
    fn of(kernel: &Kernel, source: &'static str, object: &'static str) -> Edited {
        Edited { path: kernel.src.join(source), source, object }
    }

    /// What Kbuild makes of it, without the suffix.
    pub(crate) fn target(&self) -> &'static str {
        self.source.trim_end_matches(".c")
    }

    /// Nobody imports from it in this configuration, so that lld has to compile it alone as well.
    pub(crate) fn leaf(kernel: &Kernel) -> Edited {
        Edited::of(kernel, "fs/readdir.c", "readdir.o")
    }

    /// The file that most import from: 66 modules in this configuration.
    pub(crate) fn hot(kernel: &Kernel) -> Edited {
        Edited::of(kernel, "arch/x86/kernel/cpu/common.c", "common.o")
    }

    /// The only source of a module.
    pub(crate) fn of_one_object(kernel: &Kernel) -> Edited {
        Edited::of(kernel, "lib/crc7.c", "crc7.o")
    }

    /// One of the sources of a module.
    pub(crate) fn of_several_objects(kernel: &Kernel) -> Edited {
        Edited::of(kernel, "fs/fat/misc.c", "misc.o")
    }

    /// Files with local values that other modules reach: with names made of hashes, importers run after edits of these.
    pub(crate) fn of_promoted(kernel: &Kernel) -> Vec<Edited> {
        OF_PROMOTED.iter().map(|(source, object)| Edited::of(kernel, source, object)).collect()
    }

    /// All that may have been left by a run that was interrupted; modules' sources aside, which only the option's tree edits.
    pub(crate) fn all(kernel: &Kernel) -> Vec<Edited> {
        [vec![Edited::leaf(kernel), Edited::hot(kernel)], Edited::of_promoted(kernel)].into_iter().flatten().collect()
    }

    /// Appends a function. Another `number` makes another object, which no cache has seen.
    pub(crate) fn append(&self, number: u64) -> Result<()> {
        let text = files::read(&self.path)?;
        files::write(&self.path, original(&text).to_string() + MARKER + &function(self.object, number))
    }

    /// The file as it was; left alone, time and all, when it is.
    pub(crate) fn restore(&self) -> Result<()> {
        let text = files::read(&self.path)?;
        let original = original(&text);
        if original.len() == text.len() { Ok(()) } else { files::write(&self.path, original) }
    }

    /// A new time and the same content.
    pub(crate) fn touch(&self) -> Result<()> {
        let touched =
            File::options().append(true).open(&self.path).and_then(|file| file.set_modified(SystemTime::now()));
        touched.map_err(|error| format!("cannot touch {}: {error}", self.path.display()))
    }
}

fn original(text: &str) -> &str {
    text.split_once(MARKER).map_or(text, |(before, _)| before)
}

/// Declared first, because the kernel warns of a function without a prototype. Two files may get the same number.
fn function(object: &str, number: u64) -> String {
    let file: String = object.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let signature = format!("unsigned long thindist_kept_{file}_{number}(unsigned long value)");
    format!("{signature};\n__used {signature}\n{{\n\treturn value * {number}UL + 1;\n}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_can_be_repeated_and_undone() {
        let once = format!("int a;\n{MARKER}{}", function("lib/a.o", 3));
        assert_eq!(original(&once), "int a;\n");
        assert_eq!(original("int a;\n"), "int a;\n");
        assert!(once.contains("thindist_kept_lib_a_o_3("));
        assert!(once.ends_with("{\n\treturn value * 3UL + 1;\n}\n"));
    }
}
