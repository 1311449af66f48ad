//! The link line's inputs: found, opened, told apart.

pub mod archives;
pub mod content;
pub mod fat_objects;
pub mod kind;
pub mod loaded;
pub mod private_line;
pub mod script_patterns;
pub mod scripts;
pub mod search;
pub mod survey;
pub mod symbol_tables;
pub mod words;
