pub mod individual;
pub mod promoted_names;
mod summaries;
