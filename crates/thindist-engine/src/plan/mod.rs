//! From indexes to jobs.

pub(crate) mod extra_inputs;
pub(crate) mod planning;
pub(crate) mod recorded;
