//! Files that other programs read or write: job files, the final link's list, build graphs, DTLTO.

pub mod build_graph;
pub mod final_file;
pub mod job_file;
