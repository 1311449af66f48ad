//! The job file that lld >= 21 gives to the distributor of its DTLTO, and how lld names things in it.
//!
//! The file says what to compile and hardly how. Of the options of the link it has the level, the sections and `-fpic`;
//! not the CPU, not `-mllvm`, not whether an output without `-fpic` is an executable or of `-r` (then the module's own flags
//! decide in-process, and lld 22's `ld -r` of a kernel does not compile). Who knows lld's line adds these.
//!
//! There is no version in it. Versions 21 to 24 write the same keys, so any other key means a newer lld, and is refused:
//! what it asks for would be left undone.
//!
//! It does not know files, lld's process, or whether what the file names is there.

use serde::Deserialize;
use std::collections::BTreeSet;

/// A job file that has been read and makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtltoJobs {
    /// The link's output, as lld names it.
    pub linker_output: String,
    /// The compiler.
    pub compiler: String,
    /// Words that go in front of all others, such as the name of a tool of a program that is several.
    pub prepended: Vec<String>,
    /// `-O`, which is lld's `--lto-O`.
    pub opt_level: u8,
    /// `-fpic`: the output is position-independent.
    pub pic: bool,
    /// The sample profile of the link.
    pub sample_profile: Option<String>,
    /// The target of all modules.
    pub target: String,
    /// Compiler options that the link line hands over as such.
    pub extra: Vec<String>,
    /// Other files that every backend reads.
    pub common_inputs: Vec<String>,
    /// The backends.
    pub jobs: Vec<DtltoJob>,
}

/// One backend compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtltoJob {
    /// The module's bitcode, which is also its identifier in indexes.
    pub bitcode: String,
    /// Its individual index.
    pub index: String,
    /// The modules that it imports from, in no order.
    pub imports: Vec<String>,
    /// Where lld expects the native object.
    pub output: String,
}

impl DtltoJob {
    /// The number of its object among lld's LTO objects: the last but two of the parts of its name, `STEM.NUMBER.ID.native.o`.
    #[must_use]
    pub fn number(&self) -> Option<usize> {
        self.output.strip_suffix(".native.o")?.rsplit('.').nth(1)?.parse().ok()
    }
}

/// Why a job file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DtltoError {
    /// Not JSON, not text, a key too many or too few.
    #[error("not a job file of lld 21 to 24: {0}")]
    Json(#[from] serde_json::Error),
    /// A part of it has another form than lld's.
    #[error("{place}: {what}")]
    Form {
        /// Which part.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// Two backends would write one file.
    #[error("two jobs have the output {0}")]
    SameOutput(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    common: Common,
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    linker_output: String,
    args: Vec<String>,
    inputs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    args: Vec<String>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// Options that lld itself adds and that every backend has in any case.
const LLDS_OWN: &[&str] = &[
    "-faddrsig",
    "-ffunction-sections",
    "-fdata-sections",
    // Since 23, whose row has it.
    "-floop-interchange",
    "-Wno-unused-command-line-argument",
];

/// Reads a job file.
///
/// # Errors
/// It is not what lld 21 to 24 writes, or two of its jobs have one output.
pub fn parse(bytes: &[u8]) -> Result<DtltoJobs, DtltoError> {
    let File { common, jobs } = serde_json::from_slice(bytes)?;
    let mut outputs = BTreeSet::new();
    let jobs = jobs.into_iter().enumerate().map(|(number, job)| {
        let job = job.read().map_err(|what| form(format!("job {number}"), what))?;
        if outputs.insert(job.output.clone()) { Ok(job) } else { Err(DtltoError::SameOutput(job.output)) }
    });
    let jobs = jobs.collect::<Result<_, _>>()?;
    common.read(jobs)
}

fn form(place: String, what: impl Into<String>) -> DtltoError {
    DtltoError::Form { place, what: what.into() }
}

impl Job {
    fn read(self) -> Result<DtltoJob, String> {
        let mut inputs = self.inputs.into_iter();
        let (bitcode, index) = inputs.next().zip(inputs.next()).ok_or("it names no bitcode and index as inputs")?;
        let mut outputs = self.outputs.into_iter();
        let output = outputs.next().ok_or("it has no output")?;
        if let Some(other) = outputs.next() {
            return Err(format!("its second output, {other}, is not one that thindist makes"));
        }
        let expected = [&bitcode, &format!("-fthinlto-index={index}"), "-o", &output];
        if self.args != expected {
            return Err(format!("its arguments are `{}`, not `{}`", self.args.join(" "), expected.join(" ")));
        }
        Ok(DtltoJob { bitcode, index, imports: inputs.collect(), output })
    }
}

impl Common {
    fn read(self, jobs: Vec<DtltoJob>) -> Result<DtltoJobs, DtltoError> {
        let bad = |what: &str| form("common.args".to_owned(), what);
        let mut words = self.args.into_iter();
        let compiler = words.next().ok_or_else(|| bad("no compiler"))?;
        let prepended = words.by_ref().take_while(|word| word != "-c").collect();
        let target = words.next().and_then(|word| Some(word.strip_prefix("--target=")?.to_owned()));
        let target = target.ok_or_else(|| bad("no `-c --target=…` in front of the options"))?;
        let level = words.next().and_then(|word| word.strip_prefix("-O")?.parse().ok());
        let mut read = DtltoJobs {
            linker_output: self.linker_output,
            compiler,
            prepended,
            opt_level: level.ok_or_else(|| bad("no `-O…` behind the target"))?,
            pic: false,
            sample_profile: None,
            target,
            extra: Vec::new(),
            common_inputs: self.inputs,
            jobs,
        };
        read.take_options(words);
        Ok(read)
    }
}

impl DtltoJobs {
    /// lld's own options come first, each once; what follows is the user's, even if it repeats one of them.
    fn take_options(&mut self, words: impl Iterator<Item = String>) {
        let mut seen = BTreeSet::new();
        for word in words {
            let is_llds = self.extra.is_empty() && seen.insert(word.clone());
            match word.as_str() {
                "-fpic" if is_llds => self.pic = true,
                own if is_llds && LLDS_OWN.contains(&own) => {}
                own if is_llds && self.take_profile(own) => {}
                _ => self.extra.push(word),
            }
        }
    }

    /// lld hands over the file of its `--lto-sample-profile=` both as an option and as an input.
    fn take_profile(&mut self, word: &str) -> bool {
        let Some(path) = word.strip_prefix("-fprofile-sample-use=") else { return false };
        let is_input = self.common_inputs.iter().any(|input| input == path);
        if is_input {
            self.common_inputs.retain(|input| input != path);
            self.sample_profile = Some(path.to_owned());
        }
        is_input
    }
}

/// The process that a job file's name tells of: lld writes `STEM.PID.dist-file.json`.
#[must_use]
pub fn linker_process(file_name: &str) -> Option<u32> {
    let stem = file_name.strip_suffix(".dist-file.json")?;
    stem.rsplit_once('.')?.1.parse().ok()
}

/// The last component of lld's identifier for a member of a regular archive, of which DTLTO has made a file:
/// `x.a(m.o at 90).2.6B0C.o` is `x.a(m.o at 90)`, the second input of process 0x6B0C.
#[must_use]
pub fn unpacked_member(path: &str) -> Option<&str> {
    let name = path.strip_suffix(".o")?;
    let (name, process) = name.rsplit_once('.')?;
    let (name, number) = name.rsplit_once('.')?;
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit('/').next().unwrap_or(name);
    (is_hex(process) && is_number(number)).then_some(name)
}

#[cfg(test)]
#[path = "dtlto_tests.rs"]
mod tests;
