//! What looks like a setting and is none, and what was meant by it.

use super::nearest::nearest;
use super::registry::{LOG_VARIABLE, REGISTRY, variable};
use crate::failure::Failure;
use std::ffi::OsString;

const PREFIX: &str = "THINDIST_";

/// Variables of ours that are no settings: those of this project's own tasks and tests, the CMake module's, and what a compiler that is
/// kept loaded is told.
const OTHERS: &[&str] = &["THINDIST_XTASK_", "THINDIST_TEST_", "THINDIST_SEED", "THINDIST_LINKER", "THINDIST_WARM_"];

/// What to do about a setting that nobody knows.
pub(super) fn meant(name: &str) -> String {
    match nearest(name, REGISTRY.iter().map(|setting| setting.name)) {
        Some(known) => format!("did you mean `{known}`? `thindist help settings` lists them"),
        None => "`thindist help settings` lists them".to_owned(),
    }
}

/// A warning for each variable that looks like a setting and is none. A build has variables of many versions and branches: they are
/// no reason to end it.
pub(super) fn unknown_variables(variables: &[(OsString, OsString)]) -> Vec<Failure> {
    // An empty one counts as unset.
    let names = variables.iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.to_str());
    let is_other = |name: &str| OTHERS.iter().any(|other| name.starts_with(other));
    let unknown = names.filter(|name| name.starts_with(PREFIX) && !is_other(name) && !is_variable(name));
    let mut unknown: Vec<&str> = unknown.collect();
    unknown.sort_unstable();
    unknown.iter().map(|name| Failure::new(unknown_variable(name))).collect()
}

fn is_variable(name: &str) -> bool {
    name == LOG_VARIABLE || REGISTRY.iter().any(|setting| variable(setting.name) == *name)
}

fn unknown_variable(name: &str) -> String {
    let known: Vec<String> =
        REGISTRY.iter().map(|setting| variable(setting.name)).chain([LOG_VARIABLE.into()]).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("{name} is no setting; did you mean {meant}?"),
        None => format!("{name} is no setting; `thindist help settings` lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_variables_are_named_with_the_nearest() {
        let of = |names: &[&str]| {
            let variables = names.iter().map(|name| (OsString::from(name), OsString::from("1")));
            unknown_variables(&variables.collect::<Vec<_>>())
        };
        assert!(of(&["THINDIST_JOBS", "THINDIST_LOG", "THINDIST_XTASK_BIN", "PATH", "XTHINDIST_A"]).is_empty());
        let said: Vec<String> = of(&["THINDIST_FROB", "THINDIST_CACHEDIR"]).iter().map(ToString::to_string).collect();
        assert_eq!(said[0], "THINDIST_CACHEDIR is no setting; did you mean THINDIST_CACHE_DIR?");
        assert!(said[1].starts_with("THINDIST_FROB is no setting; "), "{said:?}");
    }
}
