//! The native object of every module as a file in the link's own directory.
//!
//! Between its look-up and here a blob may vanish from the CAS: somebody cleans up. That is a miss that was noticed late,
//! and its backend runs again, once; a store that loses what was put into it a moment ago is an error.

use super::backends::Planned;
use super::execution;
use super::session::Session;
use crate::failure::{Failure, Result, io};
use crate::stats::BackendCounts;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thindist_exec::NativeObject;

/// The native objects of a plan, in its order.
#[derive(Debug)]
pub(crate) struct NativeObjects {
    pub(crate) objects: Vec<NativeObject>,
    /// Where each is, with its name in-process: linker scripts see that.
    pub(crate) paths: Vec<PathBuf>,
    /// Its path in-process.
    pub(crate) shown: Vec<String>,
}

/// Native objects that are files of somebody else's, under their names in-process.
#[derive(Debug)]
pub(crate) struct NativeFiles {
    pub(super) paths: Vec<PathBuf>,
    pub(super) shown: Vec<String>,
}

impl NativeFiles {
    /// Of modules by their identifiers and native objects.
    pub(crate) fn of<'a>(session: &Session, modules: impl Iterator<Item = (&'a str, &'a Path)>) -> Result<Self> {
        let (shown, files): (Vec<String>, Vec<&Path>) =
            modules.map(|(identifier, file)| (lto_object_path(session.line.output(), identifier), file)).unzip();
        let paths = places(session, &shown)?;
        for (path, file) in paths.iter().zip(files) {
            let file = std::path::absolute(file).map_err(|error| io("find", file, &error))?;
            std::os::unix::fs::symlink(file, path).map_err(|error| io("create", path, &error))?;
        }
        Ok(Self { paths, shown })
    }
}

/// Takes them from the stores or has them made.
pub(crate) fn build(session: &Session, planned: &Planned, counts: &mut BackendCounts) -> Result<NativeObjects> {
    let mut objects = execution::build(&planned.batch(session), counts)?;
    let shown: Vec<String> = planned.jobs.iter().map(|job| lto_object_path(session.line.output(), &job.name)).collect();
    let paths = places(session, &shown)?;
    let all: Vec<usize> = (0..objects.len()).collect();
    let gone = materialize(session, &objects, &paths, &all)?;
    if !gone.is_empty() {
        execution::build_again(&planned.batch(session), &gone, &mut objects, counts)?;
        let gone = materialize(session, &objects, &paths, &gone)?;
        if let Some(job) = gone.first().and_then(|index| planned.jobs.get(*index)) {
            return Err(gone_again(&job.name));
        }
    }
    Ok(NativeObjects { objects, paths, shown })
}

fn gone_again(module: &str) -> Failure {
    Failure::new(format_args!("the native object of {module} was made twice and has gone from the CAS each time"))
        .hint("something clears the cache during this link; link again when that has ended")
}

/// A path for each native object; the directories are made.
fn places(session: &Session, shown: &[String]) -> Result<Vec<PathBuf>> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places = Vec::with_capacity(shown.len());
    for name in shown.iter().map(|path| file_name(path)) {
        let copy = taken.entry(name).or_default();
        places.push(session.path(format!("native/{copy}/{name}")));
        *copy += 1;
    }
    for copy in 0..taken.into_values().max().unwrap_or(0) {
        session.make_directory(format!("native/{copy}"))?;
    }
    Ok(places)
}

/// Puts those `wanted` into their places. Gives those that the CAS does not have any more.
fn materialize(session: &Session, objects: &[NativeObject], paths: &[PathBuf], wanted: &[usize]) -> Result<Vec<usize>> {
    let mut gone = Vec::new();
    for &index in wanted {
        let (Some(object), Some(path)) = (objects.get(index), paths.get(index)) else { continue };
        if !session.cas.link_to(&object.digest, path)? {
            gone.push(index);
        }
    }
    Ok(gone)
}

/// lld's name for the object of a module: `OUTPUT.lto.STEM.o` beside the bitcode; a member's identifier is taken whole.
fn lto_object_path(output: &str, identifier: &str) -> String {
    let name = file_name(identifier);
    let stem = if identifier.ends_with(')') { name } else { name.rsplit_once('.').map_or(name, |(stem, _)| stem) };
    let directory = identifier.strip_suffix(name).unwrap_or_default();
    without_dots(&format!("{directory}{}.lto.{stem}.o", file_name(output)))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// As LLVM's `remove_dots`: by name, whatever links there are.
fn without_dots(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut kept: Vec<&str> = Vec::new();
    for component in path.split('/').filter(|component| !matches!(*component, "" | ".")) {
        match (component, kept.last()) {
            ("..", Some(&last)) if last != ".." => drop(kept.pop()),
            ("..", None) if !root.is_empty() => {}
            _ => kept.push(component),
        }
    }
    format!("{root}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lto_objects() {
        let check = |output, identifier, expect: &str| assert_eq!(lto_object_path(output, identifier), expect);
        check("d/a.out", "x/main.o", "x/a.out.lto.main.o");
        check("a.out", "./x//y/../main.a.o", "x/a.out.lto.main.a.o");
        check("a.out", "../../main.o", "../../a.out.lto.main.o");
        check("a.out", "/../x/main", "/x/a.out.lto.main.o");
        check("vmlinux.o", "k/vmlinux.a(main.o at 416)", "k/vmlinux.o.lto.vmlinux.a(main.o at 416).o");
    }
}
