//! Why a native object differs: compares the jobs beside the old and the new one.
//!
//! A job has the digests of all that its object was made of. Where there is none, nothing is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use thindist_core::formats::job_file::{Import, JobFile};
use thindist_engine::failure::{Failure, Result, io};

/// What nobody can tell.
pub(super) const UNKNOWN: &str = "unknown";

/// The causes, sorted; `unknown` alone where a job is missing.
pub(super) fn causes(old: &Path, new: &Path, suffix: &str) -> Result<Vec<String>> {
    let (Some(old), Some(new)) = (job(old, suffix)?, job(new, suffix)?) else { return Ok(vec![UNKNOWN.to_owned()]) };
    let mut causes = BTreeSet::new();
    let mut add = |differs: bool, cause: String| causes.extend(differs.then_some(cause));
    add(old.bitcode_content != new.bitcode_content, "edit".to_owned());
    add(old.compiler.identity != new.compiler.identity, "compiler".to_owned());
    add(old.arguments != new.arguments, "flags".to_owned());
    for path in different(by_path(&old.imports), by_path(&new.imports)) {
        add(true, format!("import {path}"));
    }
    let extra = |job: &JobFile| -> BTreeMap<String, String> {
        job.extra_inputs.iter().map(|extra| (extra.path.clone(), extra.content.to_string())).collect()
    };
    for path in different(extra(&old), extra(&new)) {
        add(true, format!("input {path}"));
    }
    // What the thin link decided: what is exported, imported, kept. It follows from an edit or an import, most often.
    add(old.index_content != new.index_content, "index".to_owned());
    Ok(if causes.is_empty() { vec![UNKNOWN.to_owned()] } else { causes.into_iter().collect() })
}

fn by_path(imports: &[Import]) -> BTreeMap<String, String> {
    imports.iter().map(|import| (import.bitcode.clone(), format!("{:?}", import.taken))).collect()
}

/// What only one side has, or not in the same way.
fn different(old: BTreeMap<String, String>, new: BTreeMap<String, String>) -> Vec<String> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths.into_iter().filter(|path| old.get(*path) != new.get(*path)).cloned().collect()
}

/// The job of a native object: `x.thinlto-native.o` is of `x.o.thinlto.job`, or of `x.thinlto.job`.
fn job(native: &Path, suffix: &str) -> Result<Option<JobFile>> {
    let name = native.to_string_lossy();
    let Some(stem) = name.strip_suffix(suffix) else { return Ok(None) };
    let candidates = [
        format!("{stem}.o{}", thindist_engine::steps::JOB_SUFFIX),
        format!("{stem}{}", thindist_engine::steps::JOB_SUFFIX),
    ];
    let Some(path) = candidates.into_iter().map(PathBuf::from).find(|path| path.is_file()) else { return Ok(None) };
    let bytes = std::fs::read(&path).map_err(|error| io("read", &path, &error))?;
    let job = JobFile::parse(&bytes, env!("CARGO_PKG_VERSION")).map_err(|error| {
        Failure::new(format_args!("{}: {error}", path.display())).hint("remove it to compare without causes")
    })?;
    Ok(Some(job))
}
