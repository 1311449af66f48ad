//! One compiler run, and the order of many of them.

pub mod action_root;
pub mod job;
pub mod local;
pub mod object_check;
pub mod process;
mod queue;
pub mod schedule;
pub mod scratch;
pub mod warm;
