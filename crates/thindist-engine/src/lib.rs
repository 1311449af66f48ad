//! A link: what lld does of it, what separate backends do, and where their objects come from.
//!
//! The rooms stand in the order in which data goes through them; none imports from one that comes later.

