//! What is kept on this machine: the CAS, the action cache, the history, lld's private caches.

pub mod action_cache;
pub mod cas;
mod file_stamp;
mod layout;
mod link_directory;
mod lld_cache;
pub mod maintenance;
pub mod state;
pub mod store_error;
mod temporary;
