//! The task `docs`: writes the documents that are generated from the code, and fails if they cannot be written.
//!
//! The generator is a test of the program (`crates/thindist/src/reference.rs`), which otherwise compares the committed file.

use crate::Result;
use crate::command::arguments;
use crate::host::{cargo, run};

const GENERATOR: &[&str] = &["test", "--quiet", "--package", "thindist", "--bin", "thindist", "reference::"];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    arguments::reject_rest(arguments)?;
    run::shown(cargo::command(GENERATOR).env("UPDATE_DOCS", "1"))
}
