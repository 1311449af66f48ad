//! `cargo xtask bench` beside the kernel and the programs.

pub(crate) mod scale;
pub(crate) mod serial_distributor;
pub(crate) mod small;
