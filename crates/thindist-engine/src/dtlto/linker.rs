//! The lld process that waits for the distributor: its command line has what DTLTO leaves out of the job file.
//!
//! The job file's name has its process number. A process of that number above ours, whose line names a distributor and the
//! output of the job file, is it; anything else is not asked.

use crate::inputs::words::Words;
use crate::session::interrupt::Process;
use crate::settings::Settings;
use rustix::process::{Pid, getpid};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thindist_core::lld::dtlto::{self, DtltoJob, DtltoJobs};
use thindist_core::lld::link_line::LinkLine;

pub(crate) const LLDS_FILE: &str = "lld makes the file and runs the distributor in its own directory; link again";

/// Ctrl-C is for both of us, and lld's end may take a moment.
const TO_END: Duration = Duration::from_millis(200);

/// More processes than this between lld and us are no wrappers.
const MOST_WRAPPERS: usize = 32;

/// A running lld.
#[derive(Debug)]
pub(crate) struct Linker {
    pub(crate) process: Process,
    number: u32,
    /// Its program file.
    pub(crate) program: PathBuf,
    /// The words of its line, response files expanded.
    pub(crate) words: Vec<String>,
    pub(crate) line: LinkLine,
}

impl Linker {
    /// The one that wrote `job_file`; `None` if it cannot be found or its line cannot be read.
    pub(crate) fn of(job_file: &Path, jobs: &DtltoJobs) -> Option<Self> {
        let number = dtlto::linker_process(job_file.file_name()?.to_str()?)?;
        let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
        // Watched first: what is read after that is of this process or of none.
        let process = Process::of(pid);
        if !ancestors().any(|ancestor| ancestor == pid) {
            return None;
        }
        // Settings in response files of lld's would be none of ours.
        let words = Words::read(&mut Settings::default(), line_of(pid)?).ok()?.expanded?;
        let line = LinkLine::parse(&words).ok()?;
        let names_a_distributor = line.options().any(|(spec, _)| spec.name == "thinlto-distributor");
        let program = std::fs::read_link(of_process(pid, "exe")).ok()?;
        let is_it = names_a_distributor && line.output() == jobs.linker_output;
        is_it.then_some(Self { process, number, program, words, line })
    }

    /// The one that we have started ourselves, whose line is known.
    pub(crate) fn started(job_file: &Path, program: &Path, line: &LinkLine) -> Option<Self> {
        let number = dtlto::linker_process(job_file.file_name()?.to_str()?)?;
        let process = Process::of(Pid::from_raw(i32::try_from(number).ok()?)?);
        let words = line.words().map(str::to_owned).collect();
        Some(Self { process, number, program: program.to_owned(), words, line: line.clone() })
    }

    /// Removes what lld would have removed if it had not been killed (lld 22 does not watch for signals). It has ended, and the
    /// files have its number in their names, so they are nobody's.
    pub(crate) fn clean_up(&self, job_file: &Path, jobs: &DtltoJobs) {
        if !self.process.ends_within(Some(TO_END)) || self.saves_temporaries() {
            return;
        }
        let keeps_indexes = self.has(&["thinlto-emit-index-files"]);
        let unpacked = format!(".{:X}.o", self.number);
        let of_job = |job: &DtltoJob| {
            let inputs = job.imports.iter().chain([&job.bitcode]).filter(|path| path.ends_with(&unpacked)).cloned();
            let index = Some(job.index.clone()).filter(|_| !keeps_indexes);
            inputs.chain(index).chain([job.output.clone()]).collect::<Vec<_>>()
        };
        for path in jobs.jobs.iter().flat_map(of_job).map(PathBuf::from).chain([job_file.to_owned()]) {
            // Many are named more than once.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Native objects stay: the user wants to look at them, or lld keeps them in a cache of its own.
    pub(crate) fn keeps_natives(&self) -> bool {
        self.saves_temporaries() || self.has(&["thinlto-cache-dir="])
    }

    fn saves_temporaries(&self) -> bool {
        self.has(&["save-temps", "save-temps=", "plugin-opt=save-temps"])
    }

    fn has(&self, names: &[&str]) -> bool {
        self.line.options().any(|(spec, _)| names.contains(&spec.name))
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
