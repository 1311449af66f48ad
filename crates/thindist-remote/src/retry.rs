//! Which failures are transient, and how long to wait before a retry.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;
use tonic::Code;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Whether the same call may succeed in a moment. What a server says about the request itself does not change.
pub(crate) fn may_pass(code: Code) -> bool {
    match code {
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Internal | Code::Unknown => true,
        Code::DeadlineExceeded | Code::Cancelled => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// How long to wait before the repetition of this number, from 0: doubled each time, and between half and the whole of
/// that at random, so that all who were turned away do not come back together.
pub(crate) fn delay(number: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << number.min(16)).min(LONGEST);
    whole.mul_f64(0.5 + 0.5 * random_fraction())
}

/// The standard library's keys for hash maps are random; nothing here needs better ones.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

fn random_fraction() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_differ() {
        for (number, whole) in [(0, 100), (1, 200), (3, 800), (6, 5000), (40, 5000)] {
            let delay = delay(number).as_millis();
            assert!((whole / 2..=whole).contains(&delay), "{number}: {delay}");
        }
        assert!((0..20).map(|_| delay(6)).any(|other| other != delay(6)));
    }
}
