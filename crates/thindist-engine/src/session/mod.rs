//! What a run has at hand: settings applied, stores, tools, lld, an engine; and what it tells of itself.

pub(crate) mod doubts;
pub(crate) mod interrupt;
pub(crate) mod lld_run;
pub(crate) mod lto_object;
pub(crate) mod otherwise;
pub(crate) mod output_files;
pub(crate) mod progress;
pub mod remote;
pub(crate) mod shown_names;
pub(crate) mod stats;
pub mod tools;
pub(crate) mod way;
pub(crate) mod workspace;
