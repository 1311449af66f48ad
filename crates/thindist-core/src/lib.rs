//! Bytes in, plan out: what thindist knows of link lines, bitcode, indexes and keys.
//!
//! Nothing here reads a file, a clock, the environment or a process; so nothing here can fail for reasons of the
//! world, and every test is `check(input, expect)`.

pub mod action;
pub mod action_files;
pub mod archive;
pub mod archive_writer;
pub mod asm_inputs;
mod asm_lexer;
pub mod backend_flags;
pub mod bitcode;
pub mod bitstream;
pub mod bitstream_writer;
pub mod build_graph;
pub mod compiler_line;
pub mod definitions;
pub mod digest;
pub mod dso_local;
pub mod dtlto;
pub mod dtlto_flags;
pub mod file_kind;
pub mod final_doubts;
pub mod final_file;
pub mod final_line;
mod guid;
pub mod import_facts;
pub mod index;
pub mod ir_symbols;
pub mod job_file;
pub mod link_line;
pub mod linker_script;
pub mod lld_cache_markers;
pub mod module_flags;
pub mod paths;
pub mod plan;
pub mod promoted_names;
pub mod recorded;
mod summaries;
pub mod symbol_order;
pub mod targets;
pub mod written_by;
