//! Keeps the native objects of a link for `thindist what-changed`, each with the job that it comes from.
//!
//! In the directory they are named as the outputs of steps are, by their modules' paths. Each output of a build has a list of
//! its own there, so that a later link of it can remove what is of no link any more.

use crate::backends::jobs::{Made, PlannedJob};
use crate::backends::step_files::{INDEX_SUFFIX, JOB_SUFFIX, NATIVE_SUFFIX, native_path};
use crate::failure::{Failure, Result, io};
use crate::session::output_files;
use crate::session::workspace::Session;
use std::collections::BTreeSet;
use std::path::Path;
use thindist_core::formats::job_file::{JobFile, Places};

/// Begins the name of each list.
const LIST: &str = "thindist-kept-";

/// Keeps them, if a setting asks for it.
pub(crate) fn keep(session: &Session, made: &[Made<'_>]) -> Result<()> {
    let Some(root) = session.workspace.settings.get("keep_native").map(Path::new) else { return Ok(()) };
    let mut kept = BTreeSet::new();
    for Made { planned, native } in made {
        let name = name_of(&planned.path, &kept);
        let bytes = session.workspace.cas.read(&native.digest)?.ok_or_else(|| {
            Failure::new(format_args!("the native object of {} is missing from the CAS", planned.job.name))
                .hint("another process clears the cache during this link; link again when it has ended")
        })?;
        write(root, &name, &bytes)?;
        let stem = name.strip_suffix(NATIVE_SUFFIX);
        let unnamed = || Failure::internal(format_args!("the object of {} is called {name}", planned.job.name));
        let job_name = format!("{}{JOB_SUFFIX}", stem.ok_or_else(unnamed)?);
        write(root, &job_name, job_text(session, planned)?.as_bytes())?;
        kept.extend([name, job_name]);
    }
    let list = root.join(format!("{LIST}{}", session.line.output().replace('/', "_")));
    let before = std::fs::read_to_string(&list).unwrap_or_default();
    let text: String = kept.iter().map(|name| format!("{name}\n")).collect();
    output_files::write_if_changed(&list, text.as_bytes())?;
    let wanted = listed(root)?;
    before.lines().filter(|name| !wanted.contains(*name)).try_for_each(|name| output_files::remove(&root.join(name)))
}

/// The files of all links that keep theirs here.
fn listed(root: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(root).map_err(|error| io("read", root, &error))? {
        let entry = entry.map_err(|error| io("read", root, &error))?;
        if entry.file_name().to_string_lossy().starts_with(LIST) {
            let text = std::fs::read_to_string(entry.path()).map_err(|error| io("read", entry.path(), &error))?;
            names.extend(text.lines().map(str::to_owned));
        }
    }
    Ok(names)
}

/// A name below the directory, that no other module of the link has.
fn name_of(module: &str, kept: &BTreeSet<String>) -> String {
    let inside = module.trim_start_matches('/').replace("../", "__/");
    let named = |copy: &str| native_path(&inside, &format!("{copy}{NATIVE_SUFFIX}")).to_string_lossy().into_owned();
    let copies = std::iter::once(String::new()).chain((2..).map(|number: u32| format!("#{number}")));
    copies.map(|copy| named(&copy)).find(|name| !kept.contains(name)).unwrap_or_default()
}

fn write(root: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = root.join(name);
    let directory = path.parent().unwrap_or(root);
    std::fs::create_dir_all(directory).map_err(|error| io("create", directory, &error))?;
    output_files::write_if_changed(&path, bytes).map(drop)
}

fn job_text(session: &Session, planned: &PlannedJob) -> Result<String> {
    let imports: Vec<String> = planned.imports.iter().map(|import| import.path.clone()).collect();
    let places = Places {
        bitcode: &planned.path,
        index: &format!("{}{INDEX_SUFFIX}", planned.path),
        imports: &imports,
        compiler: &session.clang.path.to_string_lossy(),
        extra_inputs: &[],
    };
    JobFile::new(&planned.job.action, &places, env!("CARGO_PKG_VERSION")).to_text().map_err(Failure::of)
}
