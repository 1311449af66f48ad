//! The target of a link: all modules must be for one machine, and only some machines are carried.

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

/// Whether native objects of separate backends for this target have been found equal to in-process ones.
///
/// clang takes a triple in its normal form only, and lld as it stands: where that is another system to LLVM, the code may be
/// another.
#[must_use]
pub fn is_proven(triple: &str) -> bool {
    let mut parts = triple.split('-');
    let is_known = parts.next().is_some_and(|architecture| PROVEN.contains(&architecture));
    is_known && has_normal_form(&parts.collect::<Vec<_>>())
}

/// Whether clang's driver has nothing for this target that lld has not: features, emulated TLS, position independence.
pub(crate) fn has_usual_defaults(triple: &str) -> bool {
    let others = ["android", "ohos", "openbsd", "ps4", "ps5"];
    let mut parts = triple.split('-');
    matches!(parts.next(), Some("x86_64" | "aarch64"))
        && !parts.clone().any(|part| others.iter().any(|other| part.starts_with(other)))
        && parts.next_back() != Some("elf")
}

const PROVEN: &[&str] = &["aarch64", "aarch64_be", "loongarch64", "riscv32", "riscv64", "x86_64"];

/// Vendor, system, environment, each in its place. (`…-unknown-elf` is one without a system to LLVM, wherever `elf` stands.)
fn has_normal_form(parts: &[&str]) -> bool {
    let is_system = |part: &str| SYSTEMS.iter().any(|system| part.starts_with(system));
    let may_be_system = |part: &str| is_system(part) || matches!(part, "none" | "unknown");
    match parts {
        [vendor, system] => !is_system(vendor) && (may_be_system(system) || *system == "elf"),
        [vendor, system, environment] => !is_system(vendor) && may_be_system(system) && !is_system(environment),
        _ => false,
    }
}

/// Those whose objects are ELF.
const SYSTEMS: &[&str] = &["freebsd", "fuchsia", "haiku", "hermit", "linux", "netbsd", "openbsd", "ps4", "ps5"];

/// ELF's `e_machine` for the architecture of a target triple; `None` if thindist does not know it.
#[must_use]
pub fn elf_machine(triple: &str) -> Option<u16> {
    let architecture = triple.split('-').next().unwrap_or_default();
    Some(match architecture {
        "x86_64" => 62,
        "i386" | "i486" | "i586" | "i686" => 3,
        "aarch64" | "aarch64_be" | "arm64" => 183,
        "riscv32" | "riscv64" => 243,
        "powerpc64" | "powerpc64le" | "ppc64" | "ppc64le" => 21,
        "powerpc" | "ppc" => 20,
        "s390x" => 22,
        "loongarch64" | "loongarch32" => 258,
        "mips" | "mipsel" | "mips64" | "mips64el" => 8,
        "sparcv9" => 43,
        "hexagon" => 164,
        arm if arm.starts_with("arm") || arm.starts_with("thumb") => 40,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clang_would_take_for_another_system_is_not_proven() {
        for triple in [
            "x86_64-pc-linux-gnu",
            "x86_64-redhat-linux-gnu",
            "x86_64-unknown-none",
            "aarch64-unknown-linux-android21",
            "x86_64-unknown-openbsd",
            "riscv64-unknown-elf",
            "riscv64-unknown-unknown-elf",
            "x86_64-scei-ps4",
        ] {
            assert!(is_proven(triple), "{triple}");
        }
        assert!(has_usual_defaults("x86_64-pc-linux-gnu") && !has_usual_defaults("aarch64-unknown-linux-android21"));
        assert!(!has_usual_defaults("riscv64-unknown-linux-gnu") && !has_usual_defaults("aarch64-unknown-elf"));
        for triple in ["x86_64", "aarch64-linux-gnu", "x86_64-linux", "x86_64-pc-gnu", "armv7-unknown-linux-gnueabihf"]
        {
            assert!(!is_proven(triple), "{triple}");
        }
    }

    #[test]
    fn vendors_are_of_one_target() {
        let same = |a: &str, b: &str| without_vendor(a) == without_vendor(b);
        assert!(same("x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu"));
        assert!(!same("x86_64-pc-linux-gnu", "x86_64-pc-linux-musl"));
        assert!(!same("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"));
        assert!(!same("x86_64-linux", "x86_64-elf"));
    }
}
