//! A job from its plan to its native object, with what a link knows of it and an executor does not.

use thindist_exec::{Job, NativeObject, Outcome};

/// A job of a plan.
#[derive(Debug, Clone)]
pub(crate) struct PlannedJob {
    /// What an executor is given.
    pub job: Job,
    /// The path of its module: the same in every checkout, or the name that DTLTO has for it.
    pub path: String,
    /// Of its LTO object among lld's, as far as lld tells.
    pub number: Option<usize>,
    /// The modules that it imports from, by rank.
    pub imports: Vec<ImportName>,
}

/// What a module is called that is imported from.
#[derive(Debug, Clone)]
pub(crate) struct ImportName {
    /// lld's identifier of it.
    pub identifier: String,
    /// Its path, as [`PlannedJob::path`].
    pub path: String,
}

/// A job, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    /// The job.
    pub planned: &'a PlannedJob,
    /// How it ended.
    pub outcome: Outcome,
}

/// A job, and the native object that it has made or that was found.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    /// The job.
    pub planned: &'a PlannedJob,
    /// Its object, which is in the CAS.
    pub native: NativeObject,
}

impl PlannedJob {
    /// The identifiers of the modules that it imports from, by rank.
    pub(crate) fn imported(&self) -> Vec<&str> {
        self.imports.iter().map(|import| import.identifier.as_str()).collect()
    }

    /// Its module, and those that it imports from.
    pub(crate) fn edges(&self) -> (&str, Vec<&str>) {
        (&self.job.name, self.imported())
    }
}
