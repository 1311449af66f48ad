//! What a module defines, as summaries identify it.

use std::collections::BTreeSet;

/// What summaries say of one module's definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Their GUIDs.
    pub guids: BTreeSet<u64>,
    /// The ones among them that are `dso_local`.
    pub dso_local: BTreeSet<u64>,
}

impl Definitions {
    /// Adds one.
    pub(crate) fn add(&mut self, guid: u64, is_dso_local: bool) {
        self.guids.insert(guid);
        if is_dso_local {
            self.dso_local.insert(guid);
        }
    }
}
