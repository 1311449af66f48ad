//! What tasks count, measure and print.

pub(crate) mod checks;
pub(crate) mod measure;
pub(crate) mod stats;
pub(crate) mod table;
