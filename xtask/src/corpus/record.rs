//! What the recording linker has kept of a build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::figures::stats::{self, Link};
use crate::host::files;

const SCRIPT: &str = include_str!("../../corpus/record.sh");

/// One link.
#[derive(Debug)]
pub(super) struct Recorded {
    words: Vec<String>,
    /// Of a link with bitcode.
    link: Option<Link>,
    /// What was not lld's.
    differs: Vec<String>,
    path: PathBuf,
}

/// Writes the linker into `directory`.
pub(super) fn linker(directory: &Path) -> Result<PathBuf> {
    let path = directory.join("ld.record");
    files::write(&path, SCRIPT)?;
    files::make_executable(&path)?;
    Ok(path)
}

/// The links in `directory`.
pub(super) fn read(directory: &Path) -> Result<Vec<Recorded>> {
    let paths = files::list(directory)?;
    paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "words"))
        .map(|path| one(path))
        .collect()
}

fn one(words: &Path) -> Result<Recorded> {
    let beside = |extension: &str| words.with_extension(extension);
    let lines = |path: &Path| Ok::<_, String>(files::read(path)?.lines().map(String::from).collect::<Vec<_>>());
    let differs = beside("differs");
    Ok(Recorded {
        words: lines(words)?,
        link: stats::read(&beside("stats"))?.pop(),
        differs: if differs.exists() { lines(&differs)? } else { Vec::new() },
        path: words.with_extension(""),
    })
}

impl Recorded {
    /// Its figures, if it is one of ThinLTO.
    pub(super) fn thin(&self) -> Option<&Link> {
        self.link.as_ref().filter(|link| link.modules > 0)
    }

    /// What was not lld's, and where to look.
    pub(super) fn difference(&self) -> Option<String> {
        (!self.differs.is_empty()).then(|| format!("{}: {}", self.path.display(), self.differs.join(", ")))
    }

    /// The options that it has, without their values.
    pub(super) fn options(&self) -> BTreeSet<String> {
        let mut words = self.words.iter().peekable();
        let mut options = BTreeSet::new();
        while let Some(word) = words.next() {
            if word.starts_with('-') {
                options.insert(name(word, words.peek().map(|next| next.as_str())));
            }
        }
        options
    }
}

/// Of `-z` and `-m` the value is what matters; of a plugin's option the name behind the equals sign.
fn name(word: &str, next: Option<&str>) -> String {
    match (word, word.split_once('=')) {
        ("-z" | "-m", _) => format!("{word} {}", next.unwrap_or_default().split('=').next().unwrap_or_default()),
        (_, Some((option, value))) if option.ends_with("plugin-opt") => {
            format!("{option}={}", value.split('=').next().unwrap_or_default())
        }
        (_, Some((option, _))) => format!("{option}="),
        _ => match ["-L", "-l", "-O", "-o"].iter().find(|short| word.len() > 2 && word.starts_with(**short)) {
            Some(short) => (*short).to_owned(),
            None => word.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_no_values() {
        assert_eq!(name("-z", Some("stack-size=1")), "-z stack-size");
        assert_eq!(name("-plugin-opt=mcpu=x86-64", None), "-plugin-opt=mcpu");
        assert_eq!(name("-plugin-opt=O2", None), "-plugin-opt=O2");
        assert_eq!(name("--dependency-file=x.d", None), "--dependency-file=");
        assert_eq!(name("-L/usr/lib", None), "-L");
        assert_eq!(name("-lm", None), "-l");
        assert_eq!(name("--as-needed", Some("x")), "--as-needed");
    }
}
