//! What the steps before have to tell the final link.

use crate::session::doubts::Doubts;
use crate::backends::lto_object::LtoObject;
use std::path::Path;
use thindist_core::bitcode::ir_symbols::BitcodeSymbols;

/// All of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The names of the files that the thin link has loaded, in order.
    pub(crate) trace: &'a [String],
    /// What it saw of bitcode.
    pub(crate) bitcode: &'a BitcodeSymbols,
    pub(crate) regular_object: Option<&'a Path>,
    /// The modules' native objects in lld's order, with their names in-process.
    pub(crate) natives: &'a [LtoObject],
    /// What the thin link has said already.
    pub(crate) said: &'a [String],
    pub(crate) doubts: Doubts,
}
