//! Named checks: each prints one line, and the last line counts them.

use crate::Result;
use std::time::Instant;

/// What has been checked so far.
#[derive(Debug)]
pub(crate) struct Checks {
    passed: usize,
    failed: usize,
    /// When the last check ended.
    last: Instant,
}

impl Default for Checks {
    fn default() -> Self {
        Self { passed: 0, failed: 0, last: Instant::now() }
    }
}

impl Checks {
    /// Records one outcome: a detail worth a look, or the reason of the failure. Returns whether it passed.
    pub(crate) fn record(&mut self, name: &str, outcome: Result<String>) -> bool {
        let seconds = std::mem::replace(&mut self.last, Instant::now()).elapsed().as_secs();
        match &outcome {
            Ok(detail) => {
                println!("pass  {name}: {detail} ({seconds} s)");
                self.passed += 1;
            }
            Err(reason) => {
                println!("FAIL  {name}: {reason} ({seconds} s)");
                self.failed += 1;
            }
        }
        outcome.is_ok()
    }

    /// Prints the closing line; an error when a check failed or when there was none at all.
    pub(crate) fn finish(&self) -> Result<()> {
        println!("{} passed, {} failed", self.passed, self.failed);
        match (self.passed, self.failed) {
            (_, 1..) => Err(format!("{} checks failed", self.failed)),
            (0, _) => Err("no check ran".to_string()),
            _ => Ok(()),
        }
    }
}

/// An error unless `holds`.
pub(crate) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_or_no_check_fails_the_whole() {
        let mut checks = Checks::default();
        assert!(checks.finish().is_err());
        assert!(checks.record("a", Ok("fine".into())));
        assert!(checks.finish().is_ok());
        assert!(!checks.record("b", Err("not".into())));
        assert!(checks.finish().is_err());
    }
}
