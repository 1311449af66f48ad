//! The final link, and everything in it that in-process would be otherwise.

pub(crate) mod final_link;
pub(crate) mod kept;
pub(crate) mod native_objects;
pub(crate) mod native_side;
pub(crate) mod order;
pub(crate) mod overlap;
pub(crate) mod parts;
pub(crate) mod placing;
pub(crate) mod script_patterns;
pub(crate) mod side_files;
pub(crate) mod time_trace;
pub(crate) mod visibility;
