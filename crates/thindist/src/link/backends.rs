//! From bitcode and indexes to jobs: candidates read, plan made, and where content is on this host.

use super::archives::{Member, Place};
use super::execution::Batch;
use super::extra_inputs::NamedFiles;
use super::imported;
use super::order::BitcodeSymbols;
use super::parallel;
use super::session::{InputDigests, Session};
use super::stop::Stop;
use super::survey::{Content, Survey};
use super::thin_step::{self, ThinLink};
use crate::failure::{Failure, Result, io};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::backend_flags::{LinkFlags, is_proven};
use thindist_core::bitcode::{self, LtoKind, ModuleFacts};
use thindist_core::digest::Digest;
use thindist_core::ir_symbols::{self, IrSymbols};
use thindist_core::link_line::Refusal;
use thindist_core::plan::{self, Backend, Module, Plan};
use thindist_core::symbol_order::Definition;
use thindist_exec::{Job, Source};

/// A bitcode input that the thin link may select.
#[derive(Debug)]
pub(crate) struct Candidate {
    module: Module,
    source: Source,
    /// How lld's trace names it.
    trace_name: String,
    symbols: Option<IrSymbols>,
}

/// Everything that the executor and the final link need of the plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) jobs: Vec<Job>,
    /// Regular LTO's object belongs into the final link.
    pub(crate) has_regular_part: bool,
    /// Symbols that linked bitcode defines weakly or commonly.
    pub(crate) yielding: BTreeSet<String>,
    /// What lld sees of each candidate.
    pub(crate) symbols: BitcodeSymbols,
    /// Files that assembly named.
    pub(crate) named_files: Vec<PathBuf>,
    /// Imported identifiers of each job, by rank: for diagnostics.
    imported: Vec<Vec<String>>,
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
        module: Module { identifier: identifier.to_owned(), facts, bitcode: digest },
        source,
        trace_name: trace_name.to_owned(),
        symbols: ir_symbols::read(&bytes),
    })
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

/// Its content is in the archive itself.
fn is_within(member: &Member, archive: &str) -> bool {
    matches!(&member.place, Place::Part { file, .. } if file.as_os_str() == archive)
}

/// A regular archive's member is no path. One that is could lead anywhere.
fn check_member_names(survey: &Survey) -> Result<()> {
    for surveyed in survey.flat() {
        let Content::Archive(archive) = &surveyed.content else { continue };
        for member in archive.members.iter().filter(|member| is_within(member, &surveyed.path)) {
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
    let symbols = candidates.iter().map(|candidate| (candidate.module.identifier.clone(), candidate.symbols.clone()));
    let symbols = symbols.collect();
    check_wrapped(session, &candidates, &trace)?;
    let mut by_identifier: BTreeMap<String, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.module.identifier.clone(), candidate)).collect();
    let (mut modules, mut sources) = (Vec::new(), Vec::new());
    for selected in &thin.modules {
        let candidate = by_identifier
            .remove(&selected.identifier)
            .ok_or_else(|| Stop::Refused(thin_step::unknown_module(&selected.identifier)))?;
        modules.push(candidate.module);
        sources.push(candidate.source);
    }
    check_nothing_is_lost(thin, by_identifier.values(), &trace)?;
    plan::check_triples(&modules).map_err(mixed_targets)?;
    if let Some(module) = modules.iter().find(|module| !is_proven(&module.facts.triple)) {
        let reason = "separate backends are not proven to give the bytes of in-process ones for this target".to_owned();
        return Err(Stop::Refused(Refusal { option: format!("target {}", module.facts.triple), reason }));
    }
    let mut named = NamedFiles::default();
    let mut planned = Planned {
        jobs: Vec::new(),
        has_regular_part,
        yielding,
        symbols,
        named_files: Vec::new(),
        imported: Vec::new(),
    };
    let plan = Plan::new(&modules, flags, session.clang.identity);
    let mut indexes = Vec::with_capacity(modules.len());
    for (position, selected) in thin.modules.iter().enumerate() {
        let bytes = std::fs::read(&selected.index).map_err(|error| io("read", &selected.index, &error))?;
        indexes.push((plan.imports(position, &bytes).map_err(stop)?, bytes));
    }
    let facts = imported::of_plan(&session.state, indexes.iter().map(|(imports, _)| imports), &modules, &sources)?;
    for (selected, (imports, index)) in thin.modules.iter().zip(indexes) {
        let draft = plan.draft(&imports, &index, &facts).map_err(stop)?;
        let extra_inputs = named.resolve(session, &selected.identifier, &draft.named_files)?;
        let backend = plan.backend(draft, extra_inputs).map_err(stop)?;
        planned.imported.push(identifiers(&modules, &backend.imports));
        planned.jobs.push(job(&selected.identifier, backend, &sources, &named)?);
    }
    planned.named_files = named.paths().collect();
    Ok(planned)
}

/// What `--wrap` renames LTO defines weakly. In-process the symbol then is weak in the output; in the final link it is global.
fn check_wrapped(session: &Session, candidates: &[Candidate], trace: &BTreeSet<&str>) -> std::result::Result<(), Stop> {
    let wrapped: BTreeSet<&str> = session.line.values(&["wrap"]).collect();
    let linked = candidates.iter().filter(|candidate| trace.contains(candidate.trace_name.as_str()));
    let mut symbols = linked.filter_map(|candidate| candidate.symbols.as_ref()).flat_map(|known| &known.symbols);
    match symbols.find(|symbol| symbol.definition != Definition::Undefined && wrapped.contains(symbol.name.as_str())) {
        None => Ok(()),
        Some(symbol) => Err(Stop::Refused(Refusal {
            option: format!("--wrap={}", symbol.name),
            reason: "bitcode defines it, and it is weak in-process only".to_owned(),
        })),
    }
}

/// A module that lld has loaded and not listed would be in no object: lld has taken the file for something else than we.
fn check_nothing_is_lost<'a>(
    thin: &ThinLink,
    not_listed: impl Iterator<Item = &'a Candidate>,
    trace: &BTreeSet<&str>,
) -> std::result::Result<(), Stop> {
    let loaded = |candidate: &&Candidate| {
        candidate.module.facts.kind == LtoKind::Thin && trace.contains(candidate.trace_name.as_str())
    };
    // Of members with one name some may be loaded and some not.
    let listed =
        |name: &str| thin.modules.iter().any(|module| module.identifier.starts_with(name.trim_end_matches(')')));
    match not_listed.filter(loaded).map(|candidate| &candidate.trace_name).find(|name| !listed(name)) {
        None => Ok(()),
        Some(name) => Err(Stop::Refused(Refusal {
            option: name.to_owned(),
            reason: "lld has loaded this bitcode, but not as a module of ThinLTO".to_owned(),
        })),
    }
}

fn stop(error: plan::PlanError) -> Stop {
    match error {
        plan::PlanError::Refused(refusal) => Stop::Refused(refusal),
        other => Stop::Failed(Failure::new(other)),
    }
}

fn identifiers(modules: &[Module], positions: &[usize]) -> Vec<String> {
    positions.iter().filter_map(|position| modules.get(*position)).map(|module| module.identifier.clone()).collect()
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
        let absolute = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
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
