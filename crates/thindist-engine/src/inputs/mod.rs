//! The link line's inputs: found, opened, told apart.

pub(crate) mod archives;
pub(crate) mod content;
pub(crate) mod fat_objects;
pub(crate) mod imported;
pub mod kind;
pub(crate) mod loaded;
pub(crate) mod private_line;
pub(crate) mod scripts;
pub(crate) mod search;
pub(crate) mod survey;
pub(crate) mod symbol_tables;
pub(crate) mod words;
