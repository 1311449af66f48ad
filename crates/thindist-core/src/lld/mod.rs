//! The linker's line and what lld makes of it.

pub mod dtlto;
pub mod ir_symbols;

pub mod cache_markers;
pub mod final_doubts;
pub mod final_line;
pub mod link_line;
pub mod linker_script;
pub mod symbol_order;
pub mod versions;
