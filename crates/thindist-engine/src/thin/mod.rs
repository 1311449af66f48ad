//! The thin link.

pub mod thin_link;
