//! Native objects: from the stores, run here, or run by an engine.

pub mod batch;
pub mod execution;
pub mod explained;
pub mod kept;
pub mod lto_object;
pub mod native_objects;
pub mod step_files;
pub mod verify_sample;
pub mod what_ran;
