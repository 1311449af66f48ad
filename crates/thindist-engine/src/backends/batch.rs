//! All backends of a batch: run or taken from the stores, counted, recorded, checked by sample, and left for others.

use super::execution::{self, Batch};
use super::{explained, verify_sample};
use crate::backends::what_ran;
use crate::failure::Result;
use crate::session::stats::BackendCounts;
use thindist_exec::{NativeObject, Outcome};

/// The native object of every module, in the plan's order.
pub fn build(batch: &Batch<'_>, counts: &mut BackendCounts) -> Result<Vec<NativeObject>> {
    build_while(batch, counts, |_| ())
}

/// The same; `meanwhile` has what the stores had, while the rest is compiled.
pub(crate) fn build_while(
    batch: &Batch<'_>,
    counts: &mut BackendCounts,
    meanwhile: impl FnOnce(&[Option<NativeObject>]),
) -> Result<Vec<NativeObject>> {
    let mut natives = Vec::with_capacity(batch.jobs.len());
    let mut failures = Vec::new();
    let outcomes = execution::outcomes_while(batch, meanwhile)?;
    if let Some(line) = batch.line {
        what_ran::record(line, batch.workspace, batch.jobs, &outcomes);
        explained::record::record(line, batch, &outcomes);
    }
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Outcome::Success(native) => {
                *execution::count(counts, native.from) += 1;
                natives.push(native);
            }
            other => failures.push((index, Some(other))),
        }
    }
    if !failures.is_empty() {
        return Err(execution::report_failures(batch, &failures));
    }
    settle(batch, &natives)?;
    execution::tell_warnings(batch, &execution::warnings(batch, &natives))?;
    Ok(natives)
}

/// What is due once every backend has succeeded: a share of what others made is checked, and what was made here is left for
/// them.
pub fn settle(batch: &Batch<'_>, natives: &[NativeObject]) -> Result<()> {
    verify_sample::check(batch, natives)?;
    execution::upload(batch, batch.jobs.iter().zip(natives));
    Ok(())
}
