//! The link line's inputs: found, opened, told apart.

pub(crate) mod archives;
pub mod content;
pub(crate) mod fat_objects;
pub mod imported;
pub mod kind;
pub mod loaded;
pub mod private_line;
pub(crate) mod scripts;
pub(crate) mod search;
pub mod survey;
pub(crate) mod symbol_tables;
pub mod words;
