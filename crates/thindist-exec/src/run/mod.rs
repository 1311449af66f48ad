//! One compiler run, and the order of many of them.

pub(crate) mod action_root;
pub(crate) mod job;
pub(crate) mod local;
pub mod object_check;
pub mod process;
pub(crate) mod queue;
pub mod results;
pub(crate) mod schedule;
pub mod scratch;
pub(crate) mod warm;
