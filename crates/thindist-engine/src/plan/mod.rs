//! From indexes to jobs.

pub mod extra_inputs;
pub mod planning;
pub(crate) mod recorded;
