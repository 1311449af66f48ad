//! Backend actions and their keys.

pub mod action;
pub mod backends;
pub mod dso_local;
