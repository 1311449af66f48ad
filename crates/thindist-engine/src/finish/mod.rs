//! The final link, and everything in it that in-process would be otherwise.

pub mod final_link;
pub(crate) mod kept;
pub mod native_objects;
pub mod native_side;
pub(crate) mod order;
pub(crate) mod overlap;
pub mod parts;
pub(crate) mod placing;
pub(crate) mod script_patterns;
pub(crate) mod visibility;
