//! What the steps before have to tell the final link.

use crate::session::doubts::Doubts;
use crate::session::lto_object::LtoObject;
use std::path::Path;
use thindist_core::lld::ir_symbols::BitcodeSymbols;

/// All of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The names of the files that the thin link has loaded, in order.
    pub trace: &'a [String],
    /// What it saw of bitcode.
    pub bitcode: &'a BitcodeSymbols,
    /// Regular LTO's object; `None` if no bitcode takes part in regular LTO.
    pub regular_object: Option<&'a Path>,
    /// The modules' native objects in lld's order, with their names in-process.
    pub natives: &'a [LtoObject],
    /// What the thin link has said already.
    pub said: &'a [String],
    /// What becomes of the link if it may come out otherwise than in-process.
    pub doubts: Doubts,
}
