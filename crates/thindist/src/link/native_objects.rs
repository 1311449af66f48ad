//! The native object of every module as a file in the link's own directory.
//!
//! Between its look-up and here a blob may vanish from the CAS: somebody cleans up. That is a miss that was noticed late,
//! and its backend runs again, once; a store that loses what was put into it a moment ago is an error.

use super::backends::{self, Planned};
use super::session::Session;
use crate::failure::{Failure, Result};
use crate::stats::BackendCounts;
use std::collections::BTreeMap;
use std::path::PathBuf;
use thindist_exec::NativeObject;

/// The native objects of a plan, in its order.
#[derive(Debug)]
pub(crate) struct NativeObjects {
    pub(crate) objects: Vec<NativeObject>,
    /// Where each is. In-process LTO gives it the same name: messages, maps and linker scripts see that.
    pub(crate) paths: Vec<PathBuf>,
}

/// Takes them from the stores or has them made.
pub(crate) fn build(session: &Session, planned: &Planned, counts: &mut BackendCounts) -> Result<NativeObjects> {
    let mut objects = backends::build(session, planned, counts)?;
    let paths = places(session, planned)?;
    let all: Vec<usize> = (0..objects.len()).collect();
    let gone = materialize(session, &objects, &paths, &all)?;
    if !gone.is_empty() {
        backends::build_again(session, planned, &gone, &mut objects, counts)?;
        let gone = materialize(session, &objects, &paths, &gone)?;
        if let Some(job) = gone.first().and_then(|index| planned.jobs.get(*index)) {
            return Err(gone_again(&job.name));
        }
    }
    Ok(NativeObjects { objects, paths })
}

fn gone_again(module: &str) -> Failure {
    Failure::new(format_args!("the native object of {module} was made twice and has gone from the CAS each time"))
        .hint("something clears the cache during this link; link again when that has ended")
}

/// A path for each native object; the directories are made.
fn places(session: &Session, planned: &Planned) -> Result<Vec<PathBuf>> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut places = Vec::with_capacity(planned.len());
    for job in &planned.jobs {
        let name = lto_object_name(session.line.output(), &job.name);
        let copy = taken.entry(name.clone()).or_default();
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

/// `OUTPUT.lto.STEM.o`; a member's identifier is taken whole.
fn lto_object_name(output: &str, identifier: &str) -> String {
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = file(identifier);
    let base = if identifier.ends_with(')') {
        name
    } else {
        match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
            _ => name,
        }
    };
    format!("{}.lto.{base}.o", file(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lto_objects() {
        assert_eq!(lto_object_name("d/a.out", "x/main.o"), "a.out.lto.main.o");
        assert_eq!(
            lto_object_name("vmlinux.o", "vmlinux.a(main.o at 416)"),
            "vmlinux.o.lto.vmlinux.a(main.o at 416).o"
        );
    }
}
