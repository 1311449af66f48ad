//! This machine: packages, processes, files, and where the project keeps what its tasks make.

pub(crate) mod apt;
pub(crate) mod cargo;
pub(crate) mod files;
pub(crate) mod machine;
pub(crate) mod newer_suite;
pub(crate) mod project;
pub(crate) mod random;
pub(crate) mod run;
pub(crate) mod watched;
