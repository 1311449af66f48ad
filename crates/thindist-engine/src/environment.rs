//! What a run has around it: the variables of the process, the program's file, and who hears what is said. The program hands them in;
//! nothing below the program reads variables of a process or prints.
//!
//! The working directory stays the process's own: names on a link's line are relative to it, for us and for every tool that we start.

use crate::failure::{Failure, Result};
use crate::report::{Report, Unheard};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The variables of a process, its program, and who hears. Clones are the same environment.
#[derive(Clone)]
pub struct Environment {
    given: Arc<Given>,
    report: Arc<dyn Report>,
    program: Option<PathBuf>,
}

struct Given {
    variables: Vec<(OsString, OsString)>,
    /// Somebody has looked at it for what looks like a setting and is none.
    is_examined: OnceLock<()>,
}

impl Environment {
    /// These variables, of which the first counts of two of one name, and the program that runs. Nobody hears.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut names = BTreeSet::new();
        let first = variables.into_iter().filter(|(name, _)| names.insert(name.clone()));
        let given = Given { variables: first.collect(), is_examined: OnceLock::new() };
        Self { given: Arc::new(given), report: Arc::new(Unheard), program: std::env::current_exe().ok() }
    }

    /// The same with somebody who hears.
    pub fn heard_by(self, report: impl Report + 'static) -> Self {
        Self { report: Arc::new(report), ..self }
    }

    /// The same with a program that is not the one that runs.
    pub fn with_program(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    /// thindist itself: what lld calls as its distributor, and what is not the real lld, whatever its name.
    pub(crate) fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// The same for somebody who has to start it.
    pub(crate) fn expect_program(&self) -> Result<&Path> {
        self.program().ok_or_else(|| Failure::new("cannot find thindist itself"))
    }

    /// Who hears.
    pub fn report(&self) -> &dyn Report {
        &*self.report
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.given.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// The value of a variable, if it is UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(OsStr::to_str)
    }

    /// All of it, for a program that we start.
    pub fn variables(&self) -> &[(OsString, OsString)] {
        &self.given.variables
    }

    /// What make says to its recipes; empty without a make.
    pub fn makeflags(&self) -> &str {
        self.text("MAKEFLAGS").unwrap_or_default()
    }

    /// A directory of the user's by its variable, or by its name in HOME.
    pub(crate) fn user_directory(&self, variable: &str, name: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from).or_else(|| Some(PathBuf::from(self.get("HOME")?).join(name)))
    }

    /// As [`std::env::temp_dir`].
    pub(crate) fn temporary_directory(&self) -> PathBuf {
        self.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// `true` for the first who asks.
    pub(crate) fn is_first_examined(&self) -> bool {
        self.given.is_examined.set(()).is_ok()
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::of([])
    }
}

/// Without the values: some are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.given.variables.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_counts_and_none_is_shown() {
        let of = |variables: &[(&str, &str)]| {
            Environment::of(variables.iter().map(|(name, value)| (name.into(), value.into())))
        };
        let environment = of(&[("A", "hunter2"), ("A", "two"), ("TMPDIR", "/t")]);
        assert_eq!(environment.text("A"), Some("hunter2"));
        assert_eq!(environment.get("B"), None);
        assert_eq!(environment.variables().len(), 2, "who is started gets what counts here");
        assert_eq!(environment.temporary_directory(), PathBuf::from("/t"));
        assert_eq!(of(&[]).temporary_directory(), PathBuf::from("/tmp"));
        assert!(!format!("{environment:?}").contains("hunter2"));
        assert!(environment.is_first_examined() && !environment.clone().is_first_examined());
    }
}
