//! The native object of every module as a file in the link's own directory.
//!
//! Between its look-up and here a blob may vanish from the CAS: somebody cleans up. That is a miss that was noticed late,
//! and its backend runs again, once; a store that loses what was put into it a moment ago is an error.

use crate::backends::{batch, execution};
use crate::failure::{Failure, Result, io};
use crate::plan::planning::Planned;
use crate::session::lto_object::{LtoObject, file_name, lto_object_path};
use crate::session::stats::BackendCounts;
use crate::session::workspace::Session;
use std::collections::BTreeMap;
use std::path::Path;
use thindist_exec::NativeObject;

/// The native objects of a plan, in its order.
#[derive(Debug)]
pub(crate) struct NativeObjects {
    pub(crate) objects: Vec<NativeObject>,
    /// Where each is, with its name in-process: linker scripts see that.
    pub(crate) files: Vec<LtoObject>,
}

/// Native objects that are files of somebody else's, under their names in-process: `modules` are identifiers and files.
pub fn files<'a>(session: &Session, modules: impl Iterator<Item = (&'a str, &'a Path)>) -> Result<Vec<LtoObject>> {
    let (identifiers, files): (Vec<&str>, Vec<&Path>) = modules.unzip();
    let places = places(session, &identifiers)?;
    for (place, file) in places.iter().zip(files) {
        let file = std::path::absolute(file).map_err(|error| io("find", file, &error))?;
        std::os::unix::fs::symlink(file, &place.path).map_err(|error| io("create", &place.path, &error))?;
    }
    Ok(places)
}

/// Takes them from the stores or has them made.
pub(crate) fn build(session: &Session, planned: &Planned, counts: &mut BackendCounts) -> Result<NativeObjects> {
    let mut objects = batch::build(&planned.batch(session), counts)?;
    let identifiers: Vec<&str> = planned.jobs.iter().map(|job| job.name.as_str()).collect();
    let files = places(session, &identifiers)?;
    let all: Vec<usize> = (0..objects.len()).collect();
    let gone = materialize(session, &objects, &files, &all)?;
    if !gone.is_empty() {
        execution::build_again(&planned.batch(session), &gone, &mut objects, counts)?;
        let gone = materialize(session, &objects, &files, &gone)?;
        if let Some(job) = gone.first().and_then(|index| planned.jobs.get(*index)) {
            return Err(gone_again(&job.name));
        }
    }
    Ok(NativeObjects { objects, files })
}

pub(crate) fn gone_again(module: &str) -> Failure {
    Failure::new(format_args!("the native object of {module} was made twice and was removed from the CAS each time"))
        .hint("another process clears the cache during this link; link again when it has ended")
}

/// A path for the native object of each module; the directories are made.
fn places(session: &Session, identifiers: &[&str]) -> Result<Vec<LtoObject>> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut places = Vec::with_capacity(identifiers.len());
    for identifier in identifiers {
        let shown = lto_object_path(session.line.output(), identifier);
        let name = file_name(&shown);
        let copy = taken.entry(name.to_owned()).or_default();
        let path = session.workspace.path(format!("native/{copy}/{name}"));
        *copy += 1;
        places.push(LtoObject { path, shown, archive: archive_of(identifier).map(str::to_owned) });
    }
    for copy in 0..taken.into_values().max().unwrap_or(0) {
        session.workspace.make_directory(format!("native/{copy}"))?;
    }
    Ok(places)
}

/// Puts those `wanted` into their places. Gives those that the CAS does not have any more.
fn materialize(
    session: &Session,
    objects: &[NativeObject],
    files: &[LtoObject],
    wanted: &[usize],
) -> Result<Vec<usize>> {
    let mut gone = Vec::new();
    for &index in wanted {
        let (Some(object), Some(file)) = (objects.get(index), files.get(index)) else { continue };
        if !session.workspace.cas.link_verified(&object.digest, &file.path)? {
            gone.push(index);
        }
    }
    Ok(gone)
}

/// The archive in an identifier of the form `archive(member at offset)`.
fn archive_of(identifier: &str) -> Option<&str> {
    let (before, offset) = identifier.strip_suffix(')')?.rsplit_once(" at ")?;
    let is_offset = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
    is_offset.then(|| before.rsplit_once('(').map(|(archive, _)| archive)).flatten()
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

    #[test]
    fn archives_in_identifiers() {
        assert_eq!(archive_of("d/l.a(m.o at 78)"), Some("d/l.a"));
        assert_eq!(archive_of("d/l(1).a(m.o at 78)"), Some("d/l(1).a"));
        assert_eq!(archive_of("a(b).o"), None);
        assert_eq!(archive_of("a(b at c)"), None);
    }
}
