//! What importers get of each module: looked up by the module's content, or read from it.

use crate::failure::{Result, io};
use crate::parallel;
use std::collections::{BTreeMap, BTreeSet};
use thindist_core::digest::Digest;
use thindist_core::import_facts::{self, ImportFacts};
use thindist_core::plan::{Imports, Module, ModuleId, ModuleMap};
use thindist_exec::{Source, State};

/// Under which the facts are remembered. Raised whenever [`import_facts`] describes something in another way.
const KIND: &str = "import-facts-7";

/// A module of a plan, and where its bitcode is on this host.
#[derive(Debug)]
pub(crate) struct Located {
    /// The module.
    pub module: Module,
    /// Its bitcode.
    pub source: Source,
}

/// The facts of every module that `imports` name and of which there are any.
pub(crate) fn of_plan<'a>(
    state: &State,
    imports: impl Iterator<Item = &'a Imports>,
    modules: &ModuleMap<Located>,
) -> Result<BTreeMap<ModuleId, ImportFacts>> {
    let imported: BTreeSet<ModuleId> =
        imports.flat_map(|imports| imports.from.iter().map(|imported| imported.module)).collect();
    let wanted = imported.into_iter().map(|id| (id, modules[id].module.bitcode, &modules[id].source));
    facts(state, &wanted.collect::<Vec<_>>())
}

/// The facts of each module of which there are any. A module is what it is known by, its digest and where it is.
pub(crate) fn facts<K: Copy + Ord + Send + Sync>(
    state: &State,
    wanted: &[(K, Digest, &Source)],
) -> Result<BTreeMap<K, ImportFacts>> {
    let digests: Vec<Digest> = wanted.iter().map(|(_, digest, _)| *digest).collect();
    let remembered = state.facts_many(KIND, &digests);
    let (known, unknown): (Vec<_>, Vec<_>) = wanted.iter().zip(remembered).partition(|(_, bytes)| bytes.is_some());
    let unknown: Vec<_> = unknown.into_iter().map(|(module, _)| *module).collect();
    let read = parallel::map(&unknown, |(number, digest, source)| {
        Ok(read(digest, source)?.map(|facts| (*number, *digest, facts)))
    })?;
    let read: Vec<_> = read.into_iter().flatten().collect();
    state.remember_facts(KIND, &read.iter().map(|(_, digest, facts)| (*digest, encode(facts))).collect::<Vec<_>>());
    let known =
        known.into_iter().filter_map(|((number, ..), bytes)| Some((*number, ImportFacts::from_bytes(&bytes?)?)));
    let read = read.into_iter().filter_map(|(number, _, facts)| Some((number, facts?)));
    Ok(known.chain(read).collect())
}

/// The facts, or that there are none; `None` if the file has changed since it was hashed.
fn read(digest: &Digest, source: &Source) -> Result<Option<Option<ImportFacts>>> {
    let bytes = match source {
        Source::File { path, .. } => std::fs::read(path).map_err(|error| io("read", path, &error))?,
        Source::Bytes(bytes) => bytes.to_vec(),
    };
    // Facts of other bytes than the digest's would be wrong in every later link.
    Ok((Digest::of(&bytes) == *digest).then(|| import_facts::read(&bytes)))
}

/// No bytes, which [`ImportFacts::from_bytes`] does not take, stand for a module of which nothing can be said.
fn encode(facts: &Option<ImportFacts>) -> Vec<u8> {
    facts.as_ref().map_or_else(Vec::new, ImportFacts::to_bytes)
}
