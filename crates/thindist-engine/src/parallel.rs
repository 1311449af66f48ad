//! Does the same work for many items, on all cores.

use crate::failure::{Failure, Result};
use std::thread::ScopedJoinHandle;

/// `work` for each of `items`, in their order; the first failure is the whole's.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    if items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let chunk = items.len().div_ceil(cores());
    let work = &work;
    let chunks = std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(chunk)
            .map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Result<Vec<_>>>()))
            .collect();
        threads.into_iter().map(|thread| join(thread)?).collect::<Result<Vec<_>>>()
    })?;
    Ok(chunks.into_iter().flatten().collect())
}

/// Two things at a time, if so many may go on.
pub(crate) fn both<A, B: Send>(first: impl FnOnce() -> A, second: impl FnOnce() -> B + Send) -> Result<(A, B)> {
    if cores() == 1 {
        return Ok((first(), second()));
    }
    std::thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        Ok((first, join(second)?))
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().map_err(|_| Failure::internal("a thread of a link has panicked"))
}

/// The number of processors that this process may use, as far as its descriptors go.
pub(crate) fn cores() -> usize {
    thindist_exec::at_a_time()
}
