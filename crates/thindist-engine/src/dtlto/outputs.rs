//! Native objects where lld expects them.

use super::linker::LLDS_FILE;
use crate::backends::batch;
use crate::backends::execution::{self, Batch};
use crate::backends::jobs::Made;
use crate::failure::{Failure, Result, io};
use crate::finish::native_objects;
use crate::finish::side_files;
use crate::finish::time_trace::Ran;
use crate::session::output_files;
use crate::session::stats::BackendCounts;
use std::collections::BTreeSet;
use std::path::Path;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::dtlto::DtltoJob;
use thindist_exec::NativeObject;

/// Finds out whether every output can be made, before anything is compiled.
pub(crate) fn check_places(job_file: &Path, jobs: &[DtltoJob]) -> Result<()> {
    let has_place = |job: &&DtltoJob| {
        let parent = Path::new(&job.output).parent().unwrap_or(Path::new(""));
        parent.as_os_str().is_empty() || parent.is_dir()
    };
    match jobs.iter().find(|job| !has_place(job)) {
        None => Ok(()),
        Some(job) => Err(Failure::new(format_args!(
            "{} wants the output {}, whose directory does not exist",
            job_file.display(),
            job.output
        ))
        .hint(LLDS_FILE)),
    }
}

/// Of hard links to the objects that lld is given in memory.
const PLACED: &str = "placed";

/// Where lld wants the native objects of a batch.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) jobs: &'a [DtltoJob],
    /// They are the user's own files; else lld reads and removes them.
    pub(super) copy: bool,
    pub(super) flags: &'a LinkFlags,
}

impl Outputs<'_> {
    /// Makes all of them, or leaves none.
    pub(super) fn make(self, counts: &mut BackendCounts) -> Result<Vec<Ran>> {
        let workspace = self.batch.workspace;
        if !self.copy && self.jobs.iter().any(|job| workspace.is_in_memory(Path::new(&job.output))) {
            workspace.make_directory(PLACED)?;
        }
        let outcome = self.place_all(counts).and_then(|ran| {
            // lld has removed what was there when it ended; what came later would stay.
            if self.batch.workspace.interrupt.token().is_cancelled() {
                Err(Failure::new("interrupted"))
            } else {
                Ok(ran)
            }
        });
        if outcome.is_err() {
            self.jobs.iter().try_for_each(|job| output_files::remove(Path::new(&job.output)))?;
        }
        outcome
    }

    /// What the stores have is placed while the rest is compiled.
    fn place_all(self, counts: &mut BackendCounts) -> Result<Vec<Ran>> {
        let mut placed = Ok(BTreeSet::new());
        let mut made = batch::build_while(self.batch, counts, |found| placed = self.place_found(found))?;
        let placed = placed?;
        let rest = made.iter_mut().enumerate().filter(|(index, _)| !placed.contains(index));
        let mut gone = self.place(rest)?;
        if !gone.is_empty() {
            let again = gone.iter_mut().map(|(_, made)| &mut **made).collect();
            execution::build_again(self.batch, again, counts)?;
            let gone = self.place(gone.into_iter())?;
            if let Some((_, made)) = gone.first() {
                return Err(native_objects::gone_again(&made.planned.path));
            }
        }
        side_files::put(self.batch.workspace, self.flags.side_files(), &made)?;
        let ran = made.into_iter().filter(|made| made.native.times.execute_ms.is_some());
        Ok(ran.map(|made| Ran { module: made.planned.job.name.clone(), times: *made.native.times }).collect())
    }

    fn place_found(self, found: &[Option<NativeObject>]) -> Result<BTreeSet<usize>> {
        let mut placed = BTreeSet::new();
        for (index, native) in found.iter().enumerate() {
            if let Some(native) = native
                && self.place_one(index, native)?
            {
                placed.insert(index);
            }
        }
        Ok(placed)
    }

    /// Places those `wanted`, and gives those that the CAS does not have any more.
    fn place<'m, 'a>(
        self,
        wanted: impl Iterator<Item = (usize, &'m mut Made<'a>)>,
    ) -> Result<Vec<(usize, &'m mut Made<'a>)>> {
        let mut gone = Vec::new();
        for (index, made) in wanted {
            if !self.place_one(index, &made.native)? {
                gone.push((index, made));
            }
        }
        Ok(gone)
    }

    /// `false`: the CAS does not have it any more.
    fn place_one(self, index: usize, native: &NativeObject) -> Result<bool> {
        let job = self.jobs.get(index).ok_or_else(|| missing(index))?;
        let (output, cas) = (Path::new(&job.output), &self.batch.workspace.cas);
        // A file of that name is left over from an lld of the same process number.
        output_files::remove(output)?;
        if self.copy { Ok(cas.copy_to(&native.digest, output)?) } else { link(self.batch, index, native, output) }
    }
}

fn missing(index: usize) -> Failure {
    Failure::new(format_args!("internal error: there is no backend {index} among those that lld has asked for"))
}

/// What lld reads and removes. In memory no hard link can be made: there it is a symbolic one to a hard link, so that nobody
/// who clears the cache takes the object away.
fn link(batch: &Batch<'_>, index: usize, native: &NativeObject, output: &Path) -> Result<bool> {
    let Batch { workspace, .. } = batch;
    if !workspace.is_in_memory(output) {
        return Ok(workspace.cas.link_verified(&native.digest, output)?);
    }
    let kept = workspace.path(PLACED).join(index.to_string());
    output_files::remove(&kept)?;
    let is_there = workspace.cas.link_verified(&native.digest, &kept)?;
    if is_there {
        std::os::unix::fs::symlink(&kept, output).map_err(|error| io("create", output, &error))?;
    }
    Ok(is_there)
}
