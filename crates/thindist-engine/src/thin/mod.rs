//! The thin link.

pub(crate) mod thin_link;
