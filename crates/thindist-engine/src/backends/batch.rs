//! All backends of a batch: run or taken from the stores, counted, recorded, checked by sample, and left for others.

use super::execution::{self, Batch};
use super::{explained, verify_sample};
use crate::backends::jobs::{Ended, Made};
use crate::backends::what_ran;
use crate::failure::Result;
use crate::session::stats::BackendCounts;
use thindist_exec::{NativeObject, Outcome};

/// The native object of every module, in the plan's order.
pub(crate) fn build<'a>(batch: &Batch<'a>, counts: &mut BackendCounts) -> Result<Vec<Made<'a>>> {
    build_while(batch, counts, |_| ())
}

/// The same; `meanwhile` has what the stores had, while the rest is compiled.
pub(crate) fn build_while<'a>(
    batch: &Batch<'a>,
    counts: &mut BackendCounts,
    meanwhile: impl FnOnce(&[Option<NativeObject>]),
) -> Result<Vec<Made<'a>>> {
    let mut made = Vec::with_capacity(batch.jobs.len());
    let mut failed = Vec::new();
    let ended = execution::outcomes_while(batch, meanwhile)?;
    if let Some(line) = batch.line {
        what_ran::record(line, batch.workspace, &ended);
        explained::record::record(line, batch.workspace, &ended);
    }
    for Ended { planned, outcome } in ended {
        match outcome {
            Outcome::Success(native) => {
                *execution::count(counts, native.from) += 1;
                made.push(Made { planned, native });
            }
            outcome => failed.push(Ended { planned, outcome }),
        }
    }
    if !failed.is_empty() {
        return Err(execution::report_failures(batch, &failed));
    }
    settle(batch, &made)?;
    execution::tell_warnings(batch, &execution::warnings(&made))?;
    Ok(made)
}

/// What is due once every backend has succeeded: a share of what others made is checked, and what was made here is left for
/// them.
pub(crate) fn settle(batch: &Batch<'_>, made: &[Made<'_>]) -> Result<()> {
    verify_sample::check(batch, made)?;
    execution::upload(batch, made);
    Ok(())
}
