//! For which machine the modules of a link are: one, or there is no link.
//!
//! It does not know which machines there are.

use crate::backend_flags::elf_machine;
use crate::plan::Module;

/// All modules must be for one target: in-process LTO would mix them in silence, or fail far from the cause.
///
/// The vendor is no part of it: code generation for ELF does not look at it, rustc says `unknown` where a distribution's
/// clang says `pc`, and each backend gets its own module's.
///
/// # Errors
/// Names the first module whose triple differs, and the one that it differs from.
pub fn check_triples(modules: &[Module]) -> Result<(), MixedTriples> {
    check_equal(modules, without_vendor)
}

fn without_vendor(triple: &str) -> String {
    match triple.split('-').collect::<Vec<_>>().as_slice() {
        [architecture, _, rest @ ..] if rest.len() >= 2 => format!("{architecture}-{}", rest.join("-")),
        _ => triple.to_owned(),
    }
}

/// All candidates must be for one machine, selected or not: lld will refuse them too, but says no more than that one is
/// "incompatible" with another.
///
/// # Errors
/// Names the first module whose machine differs, and the one that it differs from.
pub fn check_machines<'a>(modules: impl IntoIterator<Item = &'a Module>) -> Result<(), MixedTriples> {
    check_equal(modules, elf_machine)
}

fn check_equal<'a, Key: PartialEq>(
    modules: impl IntoIterator<Item = &'a Module>,
    key: impl Fn(&str) -> Key,
) -> Result<(), MixedTriples> {
    let mut modules = modules.into_iter();
    let Some(first) = modules.next() else { return Ok(()) };
    let expected = key(&first.facts.triple);
    match modules.find(|module| key(&module.facts.triple) != expected) {
        None => Ok(()),
        Some(other) => Err(MixedTriples {
            module: other.identifier.clone(),
            triple: other.facts.triple.clone(),
            first: first.identifier.clone(),
            expected: first.facts.triple.clone(),
        }),
    }
}

/// Two modules of one link are for different targets.
#[derive(Debug, thiserror::Error)]
#[error("{module} is for target `{triple}`, but {first} is for `{expected}`")]
pub struct MixedTriples {
    module: String,
    triple: String,
    first: String,
    expected: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_of_one_target() {
        let same = |a: &str, b: &str| without_vendor(a) == without_vendor(b);
        assert!(same("x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu"));
        assert!(!same("x86_64-pc-linux-gnu", "x86_64-pc-linux-musl"));
        assert!(!same("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"));
        assert!(!same("x86_64-linux", "x86_64-elf"));
    }
}
