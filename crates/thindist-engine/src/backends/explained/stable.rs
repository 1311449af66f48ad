//! What actions would depend on if promoted names were stable: for saying that these would have spared a run.

use super::manifest::Stable;
use crate::failure::Result;
use crate::inputs::imported;
use crate::parallel;
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::action_files::import_name;
use thindist_core::digest::Digest;
use thindist_core::import_facts::{ImportFacts, Met};
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::index::{self, IndividualIndex, ModuleName, NewHash};
use thindist_exec::{Job, Source, State};

/// Of each job, with the names of its imports; `None` where its index cannot be read.
pub(super) fn of(state: &State, jobs: &[(&Job, &[String])]) -> Result<Vec<Option<Stable>>> {
    let mut places: BTreeMap<Digest, &Source> = BTreeMap::new();
    for (job, _) in jobs {
        let whole = job.action.imports.iter().zip(&job.imports).filter(|(import, _)| import.part.is_none());
        places.extend(whole.map(|(import, source)| (import.bitcode, source)));
    }
    let wanted: Vec<_> = places.into_iter().map(|(digest, source)| (digest, digest, source)).collect();
    let facts = imported::facts(state, &wanted)?;
    parallel::map(jobs, |(job, names)| Ok(of_job(job, names, &facts)))
}

fn of_job(job: &Job, names: &[String], facts: &BTreeMap<Digest, ImportFacts>) -> Option<Stable> {
    let Source::Bytes(bytes) = &job.index else { return None };
    let read = index::read(bytes).ok()?;
    let without = |name: &str| Some(ModuleName { name: name.to_owned(), hash: NewHash::LeftOut });
    let index = Digest::of(&index::rename_modules(bytes, &without).ok()?).to_string();
    let mut imports = BTreeMap::new();
    for (rank, (import, name)) in job.action.imports.iter().zip(names).enumerate() {
        let facts = facts.get(&import.bitcode).filter(|_| import.part.is_none());
        if let Some(part) = facts.and_then(|facts| taken(&read, rank, facts)) {
            imports.insert(name.clone(), part.to_string());
        }
    }
    Some(Stable { index, imports })
}

/// The digest of what the import of this rank gives, names aside.
fn taken(index: &IndividualIndex, rank: usize, facts: &ImportFacts) -> Option<Digest> {
    let name = import_name(rank);
    let module = index.modules.iter().find(|module| module.identifier == name)?;
    let definitions = module.definitions.as_ref().filter(|definitions| !definitions.is_empty())?;
    // The order of variables is told apart: with or without stable names it is the same.
    Some(facts.imported(definitions, PromotedNames::Stable, &Met::These(BTreeSet::new()))?.digest)
}
