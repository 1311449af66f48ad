//! How much may go on at a time with the descriptors that a process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a link has open from its beginning to its end: stores, locks, signals, the standard streams, the job server.
const KEPT: u64 = 14;

/// What each process takes while it is started: both ends of its pipes, the null device, its slot, the pipe that tells of `exec`.
const EACH: u64 = 8;

/// The number of processors that this process may use, as far as it may open what so many processes take.
#[must_use]
pub fn at_a_time() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(most_processes())
}

/// Lets this process, and what it starts, open as much as it may: the usual bound of 1,024 is for programs that wait with `select`.
pub fn allow_all() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // One that cannot be raised is met by fewer processes.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// As many processes as this one may start at a time; at least one.
#[must_use]
pub fn most_processes() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, most_with)
}

fn most_with(descriptors: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(KEPT) / EACH).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_are_few_processes() {
        allow_all();
        let limits = getrlimit(Resource::Nofile);
        assert_eq!(limits.current, limits.maximum);
        assert_eq!([3, 24, 64, 1024].map(most_with), [1, 1, 6, 126]);
        assert!(at_a_time() >= 1);
    }
}
