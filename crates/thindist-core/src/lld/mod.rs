//! The linker's line and what lld makes of it.

pub mod cache_markers;
pub mod final_doubts;
pub mod final_line;
pub mod link_line;
pub mod linker_script;
pub mod symbol_order;
