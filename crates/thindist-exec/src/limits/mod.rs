//! What bounds a machine: slots, make's jobserver, memory.

pub(crate) mod make_jobserver;
pub(crate) mod memory;
pub(crate) mod permit;
pub(crate) mod slots;
