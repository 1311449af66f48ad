//! The modules of a plan by number, and values of which there is one for each module.
//!
//! It does not know what a module is: [`ModuleMap`] keeps the plan's modules and whatever else goes with them.

use std::ops::{Index, IndexMut};

/// A module's number in the plan's order. Only a [`ModuleMap`] gives one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleId(usize);

/// One value for each module of a plan, in the plan's order.
#[derive(Debug, Clone)]
pub struct ModuleMap<T>(Vec<T>);

/// There are more or fewer values than modules.
#[derive(Debug, thiserror::Error)]
#[error("internal error: {found} values for the {modules} modules of a plan")]
pub struct WrongLength {
    modules: usize,
    found: usize,
}

impl<T> ModuleMap<T> {
    /// The modules of a plan: their order numbers everything else.
    #[must_use]
    pub fn of_plan(modules: Vec<T>) -> Self {
        Self(modules)
    }

    /// One of `values` for each module.
    ///
    /// # Errors
    /// There are more or fewer of them than modules.
    pub fn with<U>(&self, values: Vec<U>) -> Result<ModuleMap<U>, WrongLength> {
        if values.len() == self.0.len() {
            Ok(ModuleMap(values))
        } else {
            Err(WrongLength { modules: self.0.len(), found: values.len() })
        }
    }

    /// What `value` makes of each.
    pub fn map<'a, U>(&'a self, value: impl FnMut(&'a T) -> U) -> ModuleMap<U> {
        ModuleMap(self.0.iter().map(value).collect())
    }

    /// Each with its module's number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ModuleId, &T)> {
        self.0.iter().enumerate().map(|(number, value)| (ModuleId(number), value))
    }

    /// Each, in the plan's order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// The number of the only module that `is_it` is true of; `None` of several.
    pub fn only(&self, mut is_it: impl FnMut(&T) -> bool) -> Option<ModuleId> {
        let mut found = self.iter().filter(|(_, value)| is_it(value)).map(|(id, _)| id);
        found.next().filter(|_| found.next().is_none())
    }

    /// Each with its module's number, by value.
    pub fn into_pairs(self) -> impl Iterator<Item = (ModuleId, T)> {
        self.0.into_iter().enumerate().map(|(number, value)| (ModuleId(number), value))
    }

    /// How many modules the plan has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the plan has no modules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Index<ModuleId> for ModuleMap<T> {
    type Output = T;

    #[expect(clippy::indexing_slicing, reason = "a number is given for a module that is there")]
    fn index(&self, id: ModuleId) -> &T {
        &self.0[id.0]
    }
}

impl<T> IndexMut<ModuleId> for ModuleMap<T> {
    #[expect(clippy::indexing_slicing, reason = "a number is given for a module that is there")]
    fn index_mut(&mut self, id: ModuleId) -> &mut T {
        &mut self.0[id.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_for_each_module() {
        let modules = ModuleMap::of_plan(vec!["a.o", "b.o"]);
        let sizes = modules.with(vec![1, 2]).unwrap();
        assert_eq!(modules.iter().map(|(id, name)| (*name, sizes[id])).collect::<Vec<_>>(), [("a.o", 1), ("b.o", 2)]);
        let text = |values: Vec<u8>| modules.with(values).unwrap_err().to_string();
        assert_eq!(text(vec![1]), "internal error: 1 values for the 2 modules of a plan");
        assert_eq!(text(vec![1, 2, 3]), "internal error: 3 values for the 2 modules of a plan");
    }

    #[test]
    fn the_only_module_of_a_kind() {
        let modules = ModuleMap::of_plan(vec!["a.o", "b.o", "b.o"]);
        assert_eq!(modules.only(|name| *name == "a.o").map(|id| modules[id]), Some("a.o"));
        assert_eq!((modules.only(|name| *name == "b.o"), modules.only(|name| *name == "c.o")), (None, None));
    }
}
