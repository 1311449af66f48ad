//! What bounds a machine: slots, make's jobserver, memory, descriptors.

pub(crate) mod descriptors;
pub(crate) mod make_jobserver;
pub(crate) mod memory;
pub(crate) mod permit;
pub(crate) mod slots;
