//! The modules of a built kernel, and an order in which they can be loaded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::host::files;

use super::checkout::Kernel;

/// One `.ko`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    /// As the kernel calls it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The modules that it needs, by name.
    needs: Vec<String>,
}

impl Module {
    pub(crate) fn read(path: PathBuf) -> Result<Module> {
        let needs = needs(&files::read_bytes(&path)?)
            .ok_or_else(|| format!("{} does not say what it depends on", path.display()))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Module { name: canonical(&stem), path, needs })
    }
}

/// Every module that make has built, those first that others need.
pub(crate) fn built(kernel: &Kernel) -> Result<Vec<Module>> {
    let order = files::read(&kernel.out.join("modules.order"))?;
    let read = |object: &str| Module::read(kernel.out.join(Path::new(object).with_extension("ko")));
    in_order(order.lines().map(read).collect::<Result<Vec<_>>>()?)
}

/// The kernel knows no hyphens in names.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// `depends=a,b` of the section .modinfo, where each entry ends in a NUL.
fn needs(bytes: &[u8]) -> Option<Vec<String>> {
    const KEY: &[u8] = b"\0depends=";
    let start = bytes.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let value = bytes.get(start..)?.split(|byte| *byte == 0).next()?;
    let names = str::from_utf8(value).ok()?.split(',').filter(|name| !name.is_empty());
    Some(names.map(canonical).collect())
}

/// The same modules, each after those that it needs.
pub(crate) fn in_order(mut waiting: Vec<Module>) -> Result<Vec<Module>> {
    let (mut ordered, mut known) = (Vec::new(), BTreeSet::new());
    while !waiting.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|module| module.needs.iter().all(|name| known.contains(name)));
        if ready.is_empty() {
            let names: Vec<_> = rest.iter().map(|module| module.name.as_str()).collect();
            return Err(format!("these need modules that were not built, or each other: {}", names.join(", ")));
        }
        known.extend(ready.iter().map(|module| module.name.clone()));
        ordered.extend(ready);
        waiting = rest;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, needs: &[&str]) -> Module {
        Module { name: name.into(), path: PathBuf::new(), needs: needs.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn what_a_module_needs_is_loaded_before_it() {
        let modules = [module("ext4", &["jbd2", "crc16"]), module("crc16", &[]), module("jbd2", &["crc16"])];
        let ordered = in_order(modules.to_vec()).unwrap();
        let names: Vec<_> = ordered.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["crc16", "jbd2", "ext4"]);
    }

    #[test]
    fn a_module_that_is_missing_is_told() {
        let error = in_order(vec![module("a", &[]), module("b", &["c"])]).unwrap_err();
        assert!(error.ends_with(": b"), "{error}");
    }

    #[test]
    fn needs_are_read_from_modinfo() {
        assert_eq!(
            needs(b"\x7fELF\0license=GPL\0depends=jbd2,crc-itu-t\0name=x\0"),
            Some(vec!["jbd2".into(), "crc_itu_t".into()])
        );
        assert_eq!(needs(b"\0depends=\0"), Some(vec![]));
        assert_eq!(needs(b"\0license=GPL\0"), None);
    }
}
