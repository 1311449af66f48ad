//! What the backends are told: the linker's options and each file's own in the compiler's spelling.

pub mod backend_flags;
pub mod compiler_line;
pub mod dtlto_flags;
pub mod recorded;
pub mod targets;
