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
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    Ok(chunks.into_iter().flatten().collect())
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(Failure::internal("a thread that read the inputs has panicked")))
}

/// The number of processors that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
