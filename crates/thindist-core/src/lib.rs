//! Bytes in, plan out: what thindist knows of link lines, bitcode, indexes and keys.
//!
//! Nothing here reads a file, a clock, the environment or a process; so nothing here can fail for reasons of the
//! world, and every test is `check(input, expect)`.

pub mod action_files;
pub mod bitcode;
pub mod digest;
pub mod flags;
pub mod formats;
pub mod import_facts;
pub mod index;
pub mod lld;
pub mod object;
pub mod paths;
pub mod plan;
