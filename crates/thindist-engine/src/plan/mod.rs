//! From indexes to jobs.

pub mod extra_inputs;
pub mod imported;
pub mod planning;
pub mod recorded;
