//! What bounds a machine: slots, make's jobserver, memory.

pub mod make_jobserver;
pub mod memory;
pub mod permit;
pub mod slots;
