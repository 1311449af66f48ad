pub mod build_graph;
pub mod dtlto;
pub mod final_file;
pub mod job_file;
