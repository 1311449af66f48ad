//! The native object of every module as a file in the link's own directory.
//!
//! Between its look-up and here a blob may vanish from the CAS: somebody cleans up. That is a miss that was noticed late,
//! and its backend runs again, once; a store that loses what was put into it a moment ago is an error.

use crate::backends::jobs::Made;
use crate::backends::{batch, execution};
use crate::failure::{Failure, Result, io};
use crate::plan::planning::Planned;
use crate::session::lto_object::{LtoObject, file_name, lto_object_path};
use crate::session::stats::BackendCounts;
use crate::session::workspace::Session;
use std::collections::BTreeMap;
use std::path::Path;

/// A native object of a plan.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) made: Made<'a>,
    /// Where it is, with its name in-process: linker scripts see that.
    pub(crate) file: LtoObject,
}

/// Native objects that are files of somebody else's, under their names in-process: `modules` are identifiers and files.
pub(crate) fn files<'a>(
    session: &Session,
    modules: impl Iterator<Item = (&'a str, &'a Path)>,
) -> Result<Vec<LtoObject>> {
    let (identifiers, files): (Vec<&str>, Vec<&Path>) = modules.unzip();
    let places = places(session, &identifiers)?;
    for (place, file) in places.iter().zip(files) {
        let file = std::path::absolute(file).map_err(|error| io("find", file, &error))?;
        std::os::unix::fs::symlink(file, &place.path).map_err(|error| io("create", &place.path, &error))?;
    }
    Ok(places)
}

/// Takes them from the stores or has them made.
pub(crate) fn build<'a>(
    session: &'a Session,
    planned: &'a Planned,
    counts: &mut BackendCounts,
) -> Result<Vec<Placed<'a>>> {
    let made = batch::build(&planned.batch(session), counts)?;
    let identifiers: Vec<&str> = made.iter().map(|made| made.planned.job.name.as_str()).collect();
    let files = places(session, &identifiers)?;
    let mut all: Vec<Placed<'_>> = made.into_iter().zip(files).map(|(made, file)| Placed { made, file }).collect();
    let mut gone = materialize(session, all.iter_mut())?;
    if !gone.is_empty() {
        let made = gone.iter_mut().map(|placed| &mut placed.made).collect();
        execution::build_again(&planned.batch(session), made, counts)?;
        if let Some(placed) = materialize(session, gone.into_iter())?.first() {
            return Err(gone_again(&placed.made.planned.job.name));
        }
    }
    Ok(all)
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
fn materialize<'m, 'a>(
    session: &Session,
    wanted: impl Iterator<Item = &'m mut Placed<'a>>,
) -> Result<Vec<&'m mut Placed<'a>>> {
    let mut gone = Vec::new();
    for placed in wanted {
        if !session.workspace.cas.link_verified(&placed.made.native.digest, &placed.file.path)? {
            gone.push(placed);
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
