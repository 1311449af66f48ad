//! The inputs of a line, each with the options that applied to it, and the directories in which `-l` is searched for.
//!
//! It does not know which of them are there.

use super::options::{OnInputs, Role};
use super::{ArgumentKind, LinkLine};

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputName {
    /// A path on the line.
    Path(String),
    /// `-lNAME`, to be searched for.
    Library(LibrarySearch),
}

/// One `-l` with the state that decides how it is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibrarySearch {
    /// What follows `-l`.
    pub name: String,
    /// `-Bstatic` was in force.
    pub only_static: bool,
}

/// One input of the link, in the order of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The position of its argument in [`LinkLine::arguments`].
    pub argument: usize,
    /// Where it comes from.
    pub name: InputName,
    /// All members of an archive are taken.
    pub whole_archive: bool,
    /// Between `--start-lib` and `--end-lib`: read as an archive member.
    pub in_lib: bool,
    /// `--format=binary`: the content is data, whatever it looks like.
    pub binary: bool,
    /// `-Bstatic` is in force.
    pub only_static: bool,
}

impl LinkLine {
    /// Every input in order.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let mut state = InputState::default();
        let mut saved = Vec::new();
        let mut inputs = Vec::new();
        for (position, argument) in self.arguments.iter().enumerate() {
            match &argument.kind {
                ArgumentKind::File(path) => inputs.push(state.input(position, InputName::Path(path.clone()))),
                ArgumentKind::Option(spec, value) if spec.role == Role::Input => {
                    let search =
                        LibrarySearch { name: value.clone().unwrap_or_default(), only_static: state.only_static };
                    inputs.push(state.input(position, InputName::Library(search)));
                }
                ArgumentKind::Option(spec, value) => {
                    if let Role::State(what) = spec.role {
                        state.apply(what, spec.negated, value.as_deref(), &mut saved);
                    }
                }
                ArgumentKind::Unknown(_) => {}
            }
        }
        inputs
    }
}

/// `component` below `path`, with the slashes that LLVM makes of it: they are in names that lld shows.
#[must_use]
pub fn append_path(path: &str, component: &str) -> String {
    if path.ends_with('/') {
        return format!("{path}{}", component.trim_start_matches('/'));
    }
    let slash = if path.is_empty() || component.starts_with('/') { "" } else { "/" };
    format!("{path}{slash}{component}")
}

#[derive(Debug, Clone, Copy, Default)]
struct InputState {
    whole_archive: bool,
    only_static: bool,
    in_lib: bool,
    binary: bool,
}

impl InputState {
    fn input(self, argument: usize, name: InputName) -> Input {
        let Self { whole_archive, in_lib, binary, only_static } = self;
        Input { argument, name, whole_archive, in_lib, binary, only_static }
    }

    fn apply(&mut self, what: OnInputs, negated: bool, value: Option<&str>, saved: &mut Vec<Self>) {
        match what {
            OnInputs::WholeArchive => self.whole_archive = !negated,
            OnInputs::Static | OnInputs::StaticAndLayout => self.only_static = true,
            OnInputs::Dynamic => self.only_static = false,
            OnInputs::StartLib => self.in_lib = true,
            OnInputs::EndLib => self.in_lib = false,
            OnInputs::Format => self.binary = value == Some("binary"),
            OnInputs::Push => saved.push(*self),
            OnInputs::Pop => *self = saved.pop().unwrap_or(*self),
            OnInputs::Directory | OnInputs::Sysroot | OnInputs::NoScriptDirectories | OnInputs::InPlace => {}
        }
    }
}

impl LibrarySearch {
    /// The paths to try in turn; the first that exists is the library.
    #[must_use]
    pub fn candidates(&self, directories: &[String]) -> Vec<String> {
        let in_each = |name: &str| directories.iter().map(|directory| append_path(directory, name)).collect();
        if let Some(exact) = self.name.strip_prefix(':') {
            return in_each(exact);
        }
        let shared = format!("lib{}.so", self.name);
        let archive = format!("lib{}.a", self.name);
        let pair = |directory: &String| {
            let archive = append_path(directory, &archive);
            if self.only_static { vec![archive] } else { vec![append_path(directory, &shared), archive] }
        };
        directories.iter().flat_map(pair).collect()
    }
}
