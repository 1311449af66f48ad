//! From bitcode and indexes to jobs: candidates read, plan made, and where content is on this host.

use super::execution::Batch;
use super::extra_inputs::NamedFiles;
use super::imported;
use super::parallel;
use super::recorded;
use super::session::{InputDigests, Session};
use super::stop::Stop;
use super::survey::{Content, Place, Survey};
use super::thin_step::{self, ThinLink};
use crate::failure::{Failure, Result, io};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::backend_flags::{LinkFlags, is_proven};
use thindist_core::bitcode::{self, ModuleFacts};
use thindist_core::digest::Digest;
use thindist_core::link_line::Refusal;
use thindist_core::paths;
use thindist_core::plan::{self, Backend, Imports, Module, Plan};
use thindist_exec::{Job, Source};

/// A bitcode input that the thin link may select.
#[derive(Debug)]
pub(crate) struct Candidate {
    module: Module,
    source: Source,
    /// How lld's trace names it.
    trace_name: String,
}

/// Everything that the executor and the final link need of the plan.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) jobs: Vec<Job>,
    /// Regular LTO's object belongs into the final link.
    pub(crate) has_regular_part: bool,
    /// Symbols that linked bitcode defines weakly or commonly.
    pub(crate) yielding: BTreeSet<String>,
    /// Files that assembly named.
    pub(crate) named_files: Vec<PathBuf>,
    /// What suffixes of promoted names in-process are here, where names are stable.
    pub(crate) new_suffixes: BTreeMap<String, String>,
    /// Imported identifiers of each job, by rank: for diagnostics.
    imported: Vec<Vec<String>>,
    /// The path of each job's module, the same in every checkout, and those of its imports.
    pub(crate) paths: Vec<(String, Vec<String>)>,
}

impl Planned {
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Its backends, to be run as the line says.
    pub(crate) fn batch<'a>(&'a self, session: &'a Session) -> Batch<'a> {
        Batch {
            workspace: session,
            compiler: &session.clang.path,
            max_jobs: session.line.jobs(),
            warnings: session.line.warnings(),
            jobs: &self.jobs,
            imported: &self.imported,
        }
    }
}

/// Reads every bitcode input, so that a bad one is named before any tool meets it.
pub(crate) fn read_candidates(session: &Session, survey: &Survey, inputs: &InputDigests) -> Result<Vec<Candidate>> {
    check_member_names(survey)?;
    let places: Vec<(&str, (&str, Place))> = survey.bitcode().into_iter().collect();
    session.make_directory("members")?;
    let read = |(number, (identifier, (trace_name, place))): &(usize, (&str, (&str, Place)))| {
        read_candidate(session, inputs, *number, identifier, trace_name, place)
    };
    let numbered: Vec<_> = places.into_iter().enumerate().collect();
    let candidates = parallel::map(&numbered, read)?;
    plan::check_machines(candidates.iter().map(|candidate| &candidate.module)).map_err(mixed_targets)?;
    Ok(candidates)
}

fn mixed_targets(error: plan::MixedTriples) -> Failure {
    Failure::new(error).hint("compile every file of a link for one target")
}

fn read_candidate(
    session: &Session,
    inputs: &InputDigests,
    number: usize,
    identifier: &str,
    trace_name: &str,
    place: &Place,
) -> Result<Candidate> {
    let bytes = place.read()?;
    let facts = read_facts(session, identifier, &bytes)?;
    let (digest, source) = match place {
        Place::File(path) => {
            let (digest, stamp) = inputs
                .get(path)
                .copied()
                .ok_or_else(|| Failure::new(format_args!("{} was not hashed", path.display())))?;
            let path = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
            (digest, Source::File { path, stamp: Some(stamp) })
        }
        Place::Part { .. } => {
            let path = session.path(format!("members/{number}.bc"));
            std::fs::write(&path, &bytes).map_err(|error| io("write", &path, &error))?;
            (Digest::of(&bytes), Source::File { path, stamp: None })
        }
    };
    Ok(Candidate {
        module: Module {
            identifier: identifier.to_owned(),
            facts,
            bitcode: digest,
            path: stable_path(place, trace_name),
            recorded: None,
        },
        source,
        trace_name: trace_name.to_owned(),
    })
}

/// A module's path as it is in every checkout: of a file, or of an archive with the member's name.
fn stable_path(place: &Place, trace_name: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = match place {
        Place::File(path) => path.to_string_lossy(),
        Place::Part { .. } => trace_name.into(),
    };
    paths::relative(&path, &here.to_string_lossy())
}

fn read_facts(session: &Session, identifier: &str, bytes: &[u8]) -> Result<ModuleFacts> {
    let facts = bitcode::read_module(bytes).map_err(|error| {
        Failure::new(format_args!("{identifier}: {error}")).hint("the file is damaged or cut short; compile it again")
    })?;
    match facts.llvm_major {
        Some(major) if major > session.lld.major => Err(Failure::new(format_args!(
            "{identifier}: bitcode of LLVM {major} ({}), but {} is of LLVM {}",
            facts.producer,
            session.lld.path.display(),
            session.lld.major
        ))
        .hint(format_args!(
            "link with lld {major} (THINDIST_LLD=ld.lld-{major}), or compile with clang {}",
            session.lld.major
        ))),
        _ => Ok(facts),
    }
}

/// A regular archive's member is no path. One that is could lead anywhere.
fn check_member_names(survey: &Survey) -> Result<()> {
    for surveyed in &survey.inputs {
        let Content::Archive(archive) = &surveyed.content else { continue };
        for member in archive.members.iter().filter(|member| matches!(member.place, Place::Part { .. })) {
            let climbs = member.name.split('/').any(|component| component == "..");
            if climbs || member.name.starts_with('/') {
                return Err(Failure::new(format_args!(
                    "{}: the member `{}` has a path for a name that leads out of the archive",
                    surveyed.path, member.name
                ))
                .hint("make the archive again from plain file names"));
            }
        }
    }
    Ok(())
}

/// Makes the plan.
pub(crate) fn plan(
    session: &Session,
    flags: &LinkFlags,
    candidates: Vec<Candidate>,
    thin: &ThinLink,
) -> std::result::Result<Planned, Stop> {
    let trace: BTreeSet<&str> = thin.trace.iter().map(String::as_str).collect();
    let has_regular_part = candidates
        .iter()
        .any(|candidate| candidate.module.facts.has_regular_part && trace.contains(candidate.trace_name.as_str()));
    let linked = candidates.iter().filter(|candidate| trace.contains(candidate.trace_name.as_str()));
    let yielding = linked.flat_map(|candidate| candidate.module.facts.yielding.iter().cloned()).collect();
    let (mut modules, sources) = selected(candidates, thin)?;
    check_targets(&modules)?;
    let records = recorded::add(session, flags, &mut modules)?;
    let mut named = NamedFiles::default();
    let declared = named.declare(session, flags.files())?;
    let mut planned = Planned { has_regular_part, yielding, ..Planned::default() };
    let plan = Plan::new(&modules, flags, session.clang.identity, session.settings.promoted_names()?);
    let indexes = read_indexes(&plan, thin)?;
    planned.new_suffixes = plan.new_suffixes(indexes.iter().map(|(imports, _)| imports));
    let facts = imported::of_plan(&session.state, indexes.iter().map(|(imports, _)| imports), &modules, &sources)?;
    for (selected, (imports, index)) in thin.modules.iter().zip(indexes) {
        let draft = plan.draft(&imports, &index, &facts).map_err(stop)?;
        let mut extra_inputs = named.resolve(session, &selected.identifier, &draft.named_files)?;
        extra_inputs.extend_from_slice(&declared);
        let backend = plan.backend(draft, extra_inputs).map_err(stop)?;
        planned.imported.push(names(&modules, &backend.imports, |module| &module.identifier));
        let own = modules.get(backend.module).map(|module| module.path.clone());
        planned.paths.push((own.unwrap_or_default(), names(&modules, &backend.imports, |module| &module.path)));
        planned.jobs.push(job(&selected.identifier, backend, &sources, &named)?);
    }
    planned.named_files = named.paths().chain(records).collect();
    Ok(planned)
}

/// The modules that the thin link has selected, in its order, and where each is.
fn selected(candidates: Vec<Candidate>, thin: &ThinLink) -> std::result::Result<(Vec<Module>, Vec<Source>), Stop> {
    let mut by_identifier: BTreeMap<String, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.module.identifier.clone(), candidate)).collect();
    let take = |selected: &thin_step::ThinModule| {
        let candidate = by_identifier.remove(&selected.identifier);
        let candidate = candidate.ok_or_else(|| Stop::Refused(thin_step::unknown_module(&selected.identifier)))?;
        Ok((candidate.module, candidate.source))
    };
    thin.modules.iter().map(take).collect()
}

fn check_targets(modules: &[Module]) -> std::result::Result<(), Stop> {
    plan::check_triples(modules).map_err(mixed_targets)?;
    let Some(module) = modules.iter().find(|module| !is_proven(&module.facts.triple)) else { return Ok(()) };
    let reason = "separate backends are not proven to give the bytes of in-process ones for this target".to_owned();
    Err(Stop::Refused(Refusal { option: format!("target {}", module.facts.triple), reason }))
}

fn read_indexes(plan: &Plan<'_>, thin: &ThinLink) -> std::result::Result<Vec<(Imports, Vec<u8>)>, Stop> {
    let read = |(position, selected): (usize, &thin_step::ThinModule)| {
        let bytes = std::fs::read(&selected.index).map_err(|error| io("read", &selected.index, &error))?;
        Ok((plan.imports(position, &bytes).map_err(stop)?, bytes))
    };
    thin.modules.iter().enumerate().map(read).collect()
}

fn stop(error: plan::PlanError) -> Stop {
    match error {
        plan::PlanError::Refused(refusal) => Stop::Refused(refusal),
        other => Stop::Failed(Failure::new(other)),
    }
}

fn names(modules: &[Module], positions: &[usize], name: impl Fn(&Module) -> &String) -> Vec<String> {
    positions.iter().filter_map(|position| modules.get(*position)).map(|module| name(module).clone()).collect()
}

/// Adds to an action where its inputs are on this host.
fn job(identifier: &str, backend: Backend, sources: &[Source], named: &NamedFiles) -> Result<Job> {
    let source = |position: &usize| {
        sources
            .get(*position)
            .cloned()
            .ok_or_else(|| Failure::new(format_args!("{identifier}: no source of module {position}")))
    };
    let extra = |path: &str| {
        let absolute = std::path::absolute(named.place(path)).map_err(|error| io("find", path, &error))?;
        Ok::<_, Failure>(Source::File { path: absolute, stamp: named.stamp(path) })
    };
    Ok(Job {
        name: identifier.to_owned(),
        module: source(&backend.module)?,
        index: Source::Bytes(Arc::from(backend.index)),
        imports: backend.imports.iter().map(source).collect::<Result<_>>()?,
        extra_inputs: backend.action.extra_inputs.iter().map(|input| extra(&input.path)).collect::<Result<_>>()?,
        action: backend.action,
    })
}
