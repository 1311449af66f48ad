//! What a run has at hand: settings applied, stores, tools, lld, an engine; and what it tells of itself.

pub mod doubts;
pub(crate) mod interrupt;
pub mod lld_run;
pub(crate) mod lto_object;
pub(crate) mod otherwise;
pub mod output_files;
pub(crate) mod progress;
pub mod remote;
pub(crate) mod shown_names;
pub mod stats;
pub mod tools;
pub mod way;
pub mod workspace;
