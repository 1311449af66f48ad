//! The definitions of a link that nothing outside its output can replace, according to the thin link.
//!
//! In-process, a declaration of such a value is `dso_local`, because all summaries of the link are at hand, and code of `-fPIE` then
//! takes its address without the GOT. An individual index has no summary of what its module only names. Here the indexes
//! of all modules are asked, each of which has what the thin link found of its own definitions. Who names what is not known here.

use crate::plan::Imports;
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

/// The GUIDs of the values of which every definition is `dso_local`.
#[derive(Debug, Default)]
pub struct DsoLocal(BTreeSet<u64>);

impl DsoLocal {
    /// Those of the link that has these indexes, and of what the modules of regular LTO define, which their own summaries tell.
    /// If one index does not tell what its module defines, there are none.
    #[must_use]
    pub fn of<'a>(indexes: impl Iterator<Item = &'a Imports>, regular: impl Iterator<Item = &'a Definitions>) -> Self {
        Self::of_definitions(indexes.map(|imports| imports.own.as_ref()).chain(regular.map(Some)))
    }

    fn of_definitions<'a>(modules: impl Iterator<Item = Option<&'a Definitions>>) -> Self {
        let (mut local, mut others) = (BTreeSet::new(), BTreeSet::new());
        for module in modules {
            let Some(Definitions { guids, dso_local }) = module else { return Self::default() };
            local.extend(dso_local);
            others.extend(guids.difference(dso_local));
        }
        Self(local.difference(&others).copied().collect())
    }

    /// Those among `guids`.
    pub(crate) fn among(&self, guids: impl Iterator<Item = u64>) -> BTreeSet<u64> {
        guids.filter(|guid| self.0.contains(guid)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(guids: &[u64], dso_local: &[u64]) -> Definitions {
        Definitions { guids: guids.iter().copied().collect(), dso_local: dso_local.iter().copied().collect() }
    }

    #[test]
    fn one_definition_that_may_be_elsewhere_decides() {
        let modules = [module(&[1, 2, 3], &[1, 2]), module(&[2, 4], &[4])];
        let local = DsoLocal::of_definitions(modules.iter().map(Some));
        assert_eq!(local.among(0..9), [1, 4].into());
        let unknown = DsoLocal::of_definitions(modules.iter().map(Some).chain([None]));
        assert_eq!(unknown.among(0..9), [].into());
    }
}
