//! The lld that waits for us: its line tells what DTLTO leaves out of the job file.
//!
//! The job file's name has its process number. A process of that number above ours, whose line names a distributor and the
//! output of the job file, is it; anything else is not asked.

use crate::link::Words;
use crate::settings::Settings;
use rustix::process::{Pid, getpid};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use thindist_core::dtlto::{self, DtltoJobs};
use thindist_core::link_line::LinkLine;

/// More processes than this between lld and us are no wrappers.
const MOST_WRAPPERS: usize = 32;

/// A running lld.
#[derive(Debug)]
pub(super) struct Linker {
    pub(super) process: Pid,
    /// The words of its line, response files expanded.
    pub(super) words: Vec<String>,
    pub(super) line: LinkLine,
}

impl Linker {
    /// The one that wrote `job_file`; `None` if it cannot be found or its line cannot be read.
    pub(super) fn of(job_file: &Path, jobs: &DtltoJobs) -> Option<Self> {
        let process = dtlto::linker_process(job_file.file_name()?.to_str()?)?;
        let process = Pid::from_raw(i32::try_from(process).ok()?)?;
        if !ancestors().any(|ancestor| ancestor == process) {
            return None;
        }
        // Settings in response files of lld's would be none of ours.
        let words = Words::read(&mut Settings::default(), line_of(process)?).ok()?.expanded?;
        let line = LinkLine::parse(&words).ok()?;
        let names_a_distributor = line.options().any(|(spec, _)| spec.name == "thinlto-distributor");
        (names_a_distributor && line.output() == jobs.linker_output).then_some(Self { process, words, line })
    }

    /// The user wants to look at the files that lld otherwise removes.
    pub(super) fn keeps_files(&self) -> bool {
        self.line.options().any(|(spec, _)| matches!(spec.name, "save-temps" | "save-temps=" | "plugin-opt=save-temps"))
    }
}

/// The processes above ours, the nearest first.
fn ancestors() -> impl Iterator<Item = Pid> {
    std::iter::successors(Some(getpid()), |process| parent(*process)).skip(1).take(MOST_WRAPPERS)
}

fn parent(process: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(of_process(process, "status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(parent.trim().parse().ok()?)
}

fn of_process(process: Pid, file: &str) -> PathBuf {
    Path::new("/proc").join(process.as_raw_nonzero().to_string()).join(file)
}

/// The words after its name and its choice of linker.
fn line_of(process: Pid) -> Option<Vec<OsString>> {
    let bytes = std::fs::read(of_process(process, "cmdline")).ok()?;
    let words = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let mut words: Vec<OsString> = words.skip(1).collect();
    if words.first().is_some_and(|word| word == "-flavor") {
        words.drain(..words.len().min(2));
    }
    Some(words)
}
