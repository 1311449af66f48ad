//! A distributor that runs the jobs of lld's DTLTO one after the other, like the example in LLVM's own tree: the
//! baseline of `bench dtlto`.

use std::process::Command;

use serde::Deserialize;

use crate::Result;
use crate::host::{files, run};

#[derive(Deserialize)]
struct JobFile {
    common: Common,
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Common {
    args: Vec<String>,
}

#[derive(Deserialize)]
struct Job {
    args: Vec<String>,
}

/// The task `serial-distributor JOB.json`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [path] = arguments else { return Err("serial-distributor is called by lld, with a job file".to_string()) };
    let text = files::read(path.as_ref())?;
    let file: JobFile = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let (compiler, common) = file.common.args.split_first().ok_or_else(|| format!("{path} names no compiler"))?;
    file.jobs.iter().try_for_each(|job| run::shown(Command::new(compiler).args(common).args(&job.args)))
}
