//! Puts native objects where lld expects them.

use crate::failure::{Failure, Result, io};
use crate::link::{self, Batch};
use crate::stats::BackendCounts;
use std::path::Path;
use thindist_core::dtlto::DtltoJob;
use thindist_exec::NativeObject;

/// Finds out whether every output can be made, before anything is compiled.
pub(super) fn check_places(job_file: &Path, jobs: &[DtltoJob]) -> Result<()> {
    let has_place = |job: &&DtltoJob| {
        let parent = Path::new(&job.output).parent().unwrap_or(Path::new(""));
        parent.as_os_str().is_empty() || parent.is_dir()
    };
    match jobs.iter().find(|job| !has_place(job)) {
        None => Ok(()),
        Some(job) => Err(Failure::new(format_args!(
            "{} wants the output {}, whose directory does not exist",
            job_file.display(),
            job.output
        ))
        .hint(super::LLDS_FILE)),
    }
}

/// Puts all of them there, or none. With `copy` they are the user's own files; else lld reads and removes them.
pub(super) fn install(
    batch: &Batch<'_>,
    jobs: &[DtltoJob],
    copy: bool,
    natives: &mut [NativeObject],
    counts: &mut BackendCounts,
) -> Result<()> {
    let outcome = place_all(batch, jobs, copy, natives, counts).and_then(|()| {
        // lld has removed what was there when it ended; what came later would stay.
        if batch.workspace.interrupt.token().is_cancelled() { Err(Failure::new("interrupted")) } else { Ok(()) }
    });
    if outcome.is_err() {
        jobs.iter().try_for_each(|job| remove(&job.output))?;
    }
    outcome
}

fn place_all(
    batch: &Batch<'_>,
    jobs: &[DtltoJob],
    copy: bool,
    natives: &mut [NativeObject],
    counts: &mut BackendCounts,
) -> Result<()> {
    let all: Vec<usize> = (0..jobs.len()).collect();
    let gone = place(batch, jobs, copy, natives, &all)?;
    if gone.is_empty() {
        return Ok(());
    }
    link::build_again(batch, &gone, natives, counts)?;
    let gone = place(batch, jobs, copy, natives, &gone)?;
    gone.first().and_then(|index| jobs.get(*index)).map_or(Ok(()), |job| Err(link::gone_again(&job.bitcode)))
}

/// Places those `wanted`, and gives those that the CAS does not have any more.
fn place(
    batch: &Batch<'_>,
    jobs: &[DtltoJob],
    copy: bool,
    natives: &[NativeObject],
    wanted: &[usize],
) -> Result<Vec<usize>> {
    let mut gone = Vec::new();
    let cas = &batch.workspace.cas;
    for &index in wanted {
        let (Some(job), Some(native)) = (jobs.get(index), natives.get(index)) else { continue };
        let output = Path::new(&job.output);
        remove(&job.output)?;
        let is_placed =
            if copy { cas.copy_to(&native.digest, output)? } else { cas.link_verified(&native.digest, output)? };
        if !is_placed {
            gone.push(index);
        }
    }
    Ok(gone)
}

/// A file of that name is left over from an lld of the same process number.
fn remove(output: &str) -> Result<()> {
    match std::fs::remove_file(output) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", output, &error)),
        _ => Ok(()),
    }
}
