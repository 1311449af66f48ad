pub mod backend_flags;
pub mod compiler_line;
pub mod dtlto_flags;
pub mod recorded;
pub mod targets;
