//! `remote_verify_sample`: compiles a share of the remote results locally as well and requires equal objects.
//!
//! A blob's digest tells whether it is what a result names, and not whether the result is that of the action. This does, for
//! those that are tried; which these are differs from link to link.

use super::execution::{self, Batch, Place};
use super::jobs::{Ended, Made};
use crate::failure::{Failure, Result};
use std::hash::{BuildHasher as _, RandomState};
use thindist_exec::{Job, NativeObject, Origin, Outcome};

/// Makes a sample of what the batch has `made` here. One that differs is an error.
pub(crate) fn check(batch: &Batch<'_>, made: &[Made<'_>]) -> Result<()> {
    let share = batch.workspace.settings.verify_sample()?;
    let chosen: Vec<&Made<'_>> = made
        .iter()
        .filter(|made| matches!(made.native.from, Origin::RemoteCache | Origin::RemoteExecuted))
        .filter(|_| random_fraction() < share)
        .collect();
    let jobs: Vec<Job> = chosen.iter().map(|made| made.planned.job.clone()).collect();
    for (theirs, ours) in chosen.into_iter().zip(execution::execute(batch, &jobs, Place::Here)?) {
        match ours {
            Outcome::Success(ours) if ours.digest == theirs.native.digest => {}
            Outcome::Success(ours) => return Err(differs(theirs, &ours)),
            outcome => {
                return Err(execution::report_failures(batch, &[Ended { planned: theirs.planned, outcome }]));
            }
        }
    }
    Ok(())
}

fn differs(theirs: &Made<'_>, ours: &NativeObject) -> Failure {
    Failure::new(format_args!(
        "the native object of {} from the engine is {}, but compiled here it is {}",
        theirs.planned.job.name, theirs.native.digest, ours.digest
    ))
    .hint("nothing was linked; do not use that engine, and run `thindist cache clear`: the stores have other objects of it")
}

/// Below 1. The standard library's keys for hash maps are random.
fn random_fraction() -> f64 {
    let number = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(number).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}
