//! Files that a backend writes beside its object: split debug information (`dwo_dir`) and optimisation remarks.
//!
//! In-process the name of each has the number of its LTO object, and that of split debug information is in the object as well: so the
//! number is in the arguments, and with them in the key.

use crate::action_files::{DWO_NAME, REMARKS_NAME};
use crate::lld::link_line::Refusal;
use std::path::{Path, PathBuf};

/// The beginning of a line of remarks, and the line in which nothing follows.
const BASIC_BLOCK: &[u8] = b"  - BasicBlock: ";
const NO_NAME: &[u8] = b"  - BasicBlock:      ''\n";

/// Which of them the line asks for, and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SideFiles {
    /// The directory of `-gsplit-dwarf`.
    pub(crate) dwo_dir: Option<String>,
    /// What the names of remarks begin with.
    pub(crate) remarks: Option<String>,
    /// As the line has it: it ends the names.
    pub(crate) format: String,
    /// Of which passes.
    pub(crate) passes: Option<String>,
    pub(crate) with_hotness: bool,
    pub(crate) hotness_threshold: Option<String>,
}

impl SideFiles {
    /// # Errors
    /// Remarks are asked for in a format in which they cannot be made those of in-process.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.remarks.is_none() || matches!(self.format.as_str(), "" | "yaml") {
            return Ok(());
        }
        let reason =
            "clang's remarks have names of basic blocks, and lld's none: only YAML can be had without them".to_owned();
        Err(Refusal { option: format!("--opt-remarks-format={}", self.format), reason })
    }

    /// Nothing is written beside objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dwo_dir.is_none() && self.remarks.is_none()
    }

    /// What the backend of this LTO object is told; the first module's is number 1, as 0 is that of regular LTO.
    #[must_use]
    pub fn arguments(&self, number: usize) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        if let Some(path) = self.dwo(number) {
            add("-split-dwarf-file", &path.to_string_lossy());
            add("-split-dwarf-output", DWO_NAME);
        }
        if self.remarks.is_some() {
            add("-opt-record-file", REMARKS_NAME);
            add("-opt-record-format", if self.format.is_empty() { "yaml" } else { &self.format });
            self.passes.iter().for_each(|passes| add("-opt-record-passes", passes));
            words.extend(self.with_hotness.then(|| "-fdiagnostics-show-hotness".to_owned()));
            words.extend(self.hotness_threshold.iter().map(|from| format!("-fdiagnostics-hotness-threshold={from}")));
        }
        words
    }

    /// Where in-process lld puts what a backend has written under `name`.
    #[must_use]
    pub fn path(&self, name: &str, number: usize) -> Option<PathBuf> {
        match name {
            DWO_NAME => self.dwo(number),
            REMARKS_NAME => {
                self.remarks.as_ref().map(|name| PathBuf::from(format!("{name}.thin.{number}.{}", self.format)))
            }
            _ => None,
        }
    }

    /// What in-process lld writes where a backend has written `content` under `name`: clang keeps the names of basic blocks, lld
    /// discards those of all local values.
    #[must_use]
    pub fn as_in_process(name: &str, content: Vec<u8>) -> Vec<u8> {
        if name != REMARKS_NAME {
            return content;
        }
        let lines = content.split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| if line.starts_with(BASIC_BLOCK) { NO_NAME } else { line }).copied().collect()
    }

    fn dwo(&self, number: usize) -> Option<PathBuf> {
        self.dwo_dir.as_ref().map(|directory| Path::new(directory).join(format!("{number}.dwo")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_in_process() {
        let files = SideFiles {
            dwo_dir: Some("out-dwo".to_owned()),
            remarks: Some("out.opt".to_owned()),
            format: "yaml".to_owned(),
            passes: Some("inline".to_owned()),
            ..SideFiles::default()
        };
        assert_eq!(files.path(DWO_NAME, 3), Some(PathBuf::from("out-dwo/3.dwo")));
        assert_eq!(files.path(REMARKS_NAME, 3), Some(PathBuf::from("out.opt.thin.3.yaml")));
        assert_eq!(
            files.arguments(3).join(" "),
            "-split-dwarf-file out-dwo/3.dwo -split-dwarf-output module.dwo -opt-record-file module.opt \
             -opt-record-format yaml -opt-record-passes inline"
        );
        let remarks = b"  - String:          x\n  - BasicBlock:      .preheader\n".to_vec();
        let expected = b"  - String:          x\n  - BasicBlock:      ''\n";
        assert_eq!(SideFiles::as_in_process(REMARKS_NAME, remarks.clone()), expected);
        assert_eq!(SideFiles::as_in_process(DWO_NAME, remarks.clone()), remarks);
        assert!(SideFiles { format: "bitstream".to_owned(), ..files }.check().is_err());
        assert!(SideFiles::default().arguments(1).is_empty() && SideFiles::default().is_empty());
    }
}
