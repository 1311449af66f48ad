//! What `thindist explain` compares: each link leaves what its actions were made of, field by field as the key's own traversal
//! gives it.

pub mod manifest;
pub mod record;
mod stable;
