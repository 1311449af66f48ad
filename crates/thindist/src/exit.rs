//! Exit codes: the one place that makes them of failures.

use std::process::ExitCode;
use thindist_engine::failure::{Ending, Failure};

/// What is said of a command that has failed, and how the program ends.
pub(crate) fn after(failure: &Failure) -> ExitCode {
    failure.report(&crate::ui::Streams);
    match failure.ending() {
        Ending::NotDone => ExitCode::FAILURE,
        // 1 is an answer of `verify`, `diff`, `compare` and `what-changed`.
        Ending::NoAnswer => ExitCode::from(2),
        Ending::Tool(code) => ExitCode::from(code),
    }
}
