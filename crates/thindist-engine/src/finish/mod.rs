//! The final link, and everything in it that in-process would be otherwise.

pub mod final_link;
pub mod native_side;
pub mod order;
pub mod overlap;
pub mod parts;
pub mod placing;
pub mod visibility;
