//! Native objects: from the stores, run here, or run by an engine.

pub mod batch;
pub mod execution;
pub mod explained;
pub mod jobs;
pub mod step_files;
pub(crate) mod verify_sample;
pub mod what_ran;
