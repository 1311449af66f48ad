//! The table of tasks, and how a line of arguments is taken apart.

pub(crate) mod arguments;
pub(crate) mod task;
pub(crate) mod tasks;
