//! `remote_verify_sample`: compiles a share of the remote results locally as well and requires equal objects.
//!
//! A blob's digest tells whether it is what a result names, and not whether the result is that of the action. This does, for
//! those that are tried; which these are differs from link to link.

use super::execution::{self, Batch, Place};
use crate::failure::{Failure, Result};
use crate::settings::Settings;
use std::hash::{BuildHasher as _, RandomState};
use thindist_exec::{Job, NativeObject, Origin, Outcome};

/// Makes a sample of `natives`, the batch's, here. One that differs is an error.
pub(super) fn check(batch: &Batch<'_>, natives: &[NativeObject]) -> Result<()> {
    let share = share(&batch.workspace.settings)?;
    let chosen: Vec<(Job, &NativeObject)> = batch
        .jobs
        .iter()
        .zip(natives)
        .filter(|(_, native)| matches!(native.from, Origin::RemoteCache | Origin::RemoteExecuted))
        .filter(|_| random_fraction() < share)
        .map(|(job, native)| (job.clone(), native))
        .collect();
    let jobs: Vec<Job> = chosen.iter().map(|(job, _)| job.clone()).collect();
    for ((job, theirs), ours) in chosen.iter().zip(execution::execute(batch, &jobs, Place::Here)?) {
        match ours {
            Outcome::Success(ours) if ours.digest == theirs.digest => {}
            Outcome::Success(ours) => return Err(differs(job, theirs, &ours)),
            other => {
                let index = batch.jobs.iter().position(|known| known.name == job.name).unwrap_or(0);
                return Err(execution::report_failures(batch, &[(index, Some(other))]));
            }
        }
    }
    Ok(())
}

fn differs(job: &Job, theirs: &NativeObject, ours: &NativeObject) -> Failure {
    Failure::new(format_args!(
        "the native object of {} from the engine is {}, but compiled here it is {}",
        job.name, theirs.digest, ours.digest
    ))
    .hint("nothing was linked; do not use that engine, and run `thindist cache clear`: the stores have other objects of it")
}

/// From 0, which is none, to 1.
pub(crate) fn share(settings: &Settings) -> Result<f64> {
    let Some(text) = settings.get("remote_verify_sample") else { return Ok(0.0) };
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(Failure::new(format_args!("remote_verify_sample={text}: expected a number from 0 to 1"))),
    }
}

/// Below 1. The standard library's keys for hash maps are random.
fn random_fraction() -> f64 {
    let number = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(number).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}
