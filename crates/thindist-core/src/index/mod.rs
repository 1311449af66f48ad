//! Individual indexes: what the thin link decided for one module.

pub mod individual;
pub mod promoted_names;
mod summaries;
