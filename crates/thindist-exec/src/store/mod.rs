//! What is kept on this machine: the CAS, the action cache, the history, lld's private caches.

pub(crate) mod action_cache;
pub(crate) mod cas;
pub(crate) mod file_stamp;
pub(crate) mod layout;
pub(crate) mod link_directory;
pub(crate) mod lld_cache;
pub mod maintenance;
pub(crate) mod state;
pub(crate) mod store_error;
pub(crate) mod temporary;
