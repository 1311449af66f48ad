//! Native objects: from the stores, run here, or run by an engine.

pub(crate) mod batch;
pub(crate) mod execution;
pub mod explained;
pub(crate) mod jobs;
pub(crate) mod step_files;
pub(crate) mod verify_sample;
pub mod what_ran;
