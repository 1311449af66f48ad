//! What a run has at hand: settings applied, stores, tools, lld, an engine; and what it tells of itself.

pub mod doubts;
pub mod interrupt;
pub mod lld_run;
pub mod output_files;
pub mod progress;
pub mod remote;
pub mod shown_names;
pub mod stats;
pub mod tools;
pub mod way;
pub mod workspace;
