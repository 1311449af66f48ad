//! From bitcode and indexes to jobs: reads candidates, makes the plan, and finds content on this host.

use super::extra_inputs::NamedFiles;
use crate::backends::execution::Batch;
use crate::backends::jobs::{ImportName, PlannedJob};
use crate::backends::what_ran::Line;
use crate::failure::{Failure, Result, io};
use crate::inputs::content::{Content, Member, Place};
use crate::inputs::imported::{self, Located};
use crate::inputs::survey::Survey;
use crate::parallel;
use crate::plan::recorded;
use crate::session::tools::Tool;
use crate::session::workspace::{InputDigests, Session, Workspace};
use crate::stop::Stop;
use crate::thin::thin_link::{self, ThinLink};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use thindist_core::bitcode::asm_inputs::AsmInput;
use thindist_core::bitcode::definitions::Definitions;
use thindist_core::bitcode::{self, LtoKind, ModuleFacts};
use thindist_core::digest::Digest;
use thindist_core::flags::backend_flags::{LinkFlags, SideFiles};
use thindist_core::flags::targets;
use thindist_core::import_facts::ImportFacts;
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::lld::ir_symbols::{self, BitcodeSymbols, IrSymbols};
use thindist_core::lld::link_line::Refusal;
use thindist_core::lld::symbol_order::Definition;
use thindist_core::paths;
use thindist_core::plan::dso_local::DsoLocal;
use thindist_core::plan::{self, Backend, Imports, Module, ModuleId, ModuleMap, Plan};
use thindist_exec::{Job, Source, State};

/// A bitcode input that the thin link may select.
#[derive(Debug)]
pub(crate) struct Candidate {
    located: Located,
    /// How lld's trace names it.
    trace_name: String,
    symbols: Option<IrSymbols>,
}

/// Everything that the executor and the final link need of the plan.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// The backends of the link, in lld's order.
    pub jobs: Vec<PlannedJob>,
    /// Regular LTO's object belongs into the final link.
    pub has_regular_part: bool,
    /// What lld sees of the candidates.
    pub bitcode: BitcodeSymbols,
    /// Files that assembly named.
    pub named_files: Vec<PathBuf>,
    /// Where the line has files written beside objects.
    pub(crate) side_files: SideFiles,
    /// What suffixes of promoted names in-process are here, where names are stable.
    pub(crate) new_suffixes: BTreeMap<String, String>,
}

impl Candidate {
    /// It takes part in regular LTO, which each run of lld does again.
    pub(crate) fn has_regular_part(&self) -> bool {
        self.located.module.facts.has_regular_part
    }
}

impl Planned {
    /// How many backends the link has.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Its backends, to be run as the line says.
    pub(crate) fn batch<'a>(&'a self, session: &'a Session) -> Batch<'a> {
        Batch {
            workspace: &session.workspace,
            compiler: &session.clang.path,
            max_jobs: session.line.jobs(),
            warnings: session.line.warnings(),
            jobs: &self.jobs,
            line: Some(Line { line: &session.line, lld: &session.lld.path, clang: &session.clang.path }),
        }
    }
}

/// Reads every bitcode input, so that a bad one is named before any tool meets it.
pub(crate) fn read_candidates(session: &Session, survey: &Survey, inputs: &InputDigests) -> Result<Vec<Candidate>> {
    check_member_names(survey)?;
    session.workspace.make_directory("members")?;
    let bitcode = survey.bitcode().into_iter().enumerate();
    let found =
        bitcode.map(|(number, (identifier, (trace_name, place)))| Found { number, identifier, trace_name, place });
    let candidates = parallel::map(&found.collect::<Vec<_>>(), |found| read_candidate(session, inputs, found))?;
    targets::check_machines(candidates.iter().map(|candidate| candidate.located.module.target()))
        .map_err(mixed_targets)?;
    Ok(candidates)
}

pub(crate) fn mixed_targets(error: targets::MixedTriples) -> Failure {
    Failure::new(error).hint("compile every file of a link for one target")
}

/// A bitcode input, before it is read.
struct Found<'a> {
    number: usize,
    identifier: &'a str,
    trace_name: &'a str,
    place: Place,
}

fn read_candidate(session: &Session, inputs: &InputDigests, found: &Found<'_>) -> Result<Candidate> {
    let Found { number, identifier, trace_name, place } = found;
    let bytes = place.read()?;
    let facts = read_facts(&session.lld, identifier, &bytes)?;
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
            let path = session.workspace.path(format!("members/{number}.bc"));
            std::fs::write(&path, &bytes).map_err(|error| io("write", &path, &error))?;
            (Digest::of(&bytes), Source::File { path, stamp: None })
        }
    };
    let module = Module {
        identifier: (*identifier).to_owned(),
        facts,
        bitcode: digest,
        path: stable_path(place, trace_name),
        recorded: None,
    };
    Ok(Candidate {
        located: Located { module, source },
        trace_name: (*trace_name).to_owned(),
        symbols: ir_symbols::read(&bytes),
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

/// What a module's bitcode says, which `reader` has to understand.
pub(crate) fn read_facts(reader: &Tool, identifier: &str, bytes: &[u8]) -> Result<ModuleFacts> {
    let facts = bitcode::read_module(bytes).map_err(|error| {
        Failure::new(format_args!("{identifier}: {error}")).hint("the file is damaged or cut short; compile it again")
    })?;
    match facts.llvm_major {
        Some(major) if major > reader.major => Err(Failure::new(format_args!(
            "{identifier}: bitcode of LLVM {major} ({}), but {} is of LLVM {}",
            facts.producer,
            reader.path.display(),
            reader.major
        ))
        .hint(format_args!(
            "link with lld {major} (THINDIST_LLD=ld.lld-{major}), or compile with clang {}",
            reader.major
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

/// Makes the plan; `planned` hears of each job as soon as it is made.
pub(crate) fn plan(
    session: &Session,
    flags: &LinkFlags,
    mut candidates: Vec<Candidate>,
    thin: &ThinLink,
    planned: &mut dyn FnMut(&Job),
) -> std::result::Result<Planned, Stop> {
    let trace: BTreeSet<&str> = thin.trace.iter().map(String::as_str).collect();
    let linked = || candidates.iter().filter(|candidate| trace.contains(candidate.trace_name.as_str()));
    let has_regular_part = linked().any(Candidate::has_regular_part);
    let regular: Vec<Definitions> = linked().map(|candidate| candidate.located.module.facts.regular.clone()).collect();
    let yielding = linked().flat_map(|candidate| candidate.located.module.facts.yielding.iter().cloned()).collect();
    if has_regular_part && session.line.has_side_files() {
        let reason = "what regular LTO writes beside its object is not separate".to_owned();
        return Err(Stop::Refused(Refusal { option: "a part of the link is regular LTO".to_owned(), reason }));
    }
    check_wrapped(session, &candidates, &trace)?;
    check_nothing_is_lost(thin, &candidates, &trace)?;
    let symbols =
        candidates.iter_mut().map(|candidate| (candidate.located.module.identifier.clone(), candidate.symbols.take()));
    let bitcode = BitcodeSymbols { candidates: symbols.collect(), yielding };
    let Selected { mut modules, indexes } = select(candidates, thin)?;
    targets::check_triples(modules.values().map(|located| located.module.target())).map_err(mixed_targets)?;
    let records = recorded::add(session, flags, &mut modules)?;
    let check = |located: &Located| flags.check_target(&located.module.facts.triple, located.module.recorded.is_some());
    modules.values().try_for_each(check).map_err(Stop::Refused)?;
    let plan = planned_over(&modules, session.workspace.settings.promoted_names()?, &session.clang)?;
    let compiler = &session.clang;
    let common = Common { plan: &plan, modules: &modules, compiler, flags, named: &[], regular: &regular };
    let PlannedJobs { jobs, mut named_files, new_suffixes } = plan_jobs(&session.workspace, indexes, &common, planned)?;
    named_files.extend(records);
    let side_files = flags.side_files().clone();
    Ok(Planned { jobs, has_regular_part, bitcode, named_files, side_files, new_suffixes })
}

/// The jobs of a plan.
#[derive(Debug, Default)]
pub(crate) struct PlannedJobs {
    pub(crate) jobs: Vec<PlannedJob>,
    /// Files that assembly named.
    pub(crate) named_files: Vec<PathBuf>,
    /// Of promoted names in-process: ours, where they are others.
    pub(crate) new_suffixes: BTreeMap<String, String>,
}

/// What all backends of a link have in common.
#[derive(Debug)]
pub(crate) struct Common<'a> {
    pub(crate) plan: &'a Plan<'a>,
    /// Those of the plan.
    pub(crate) modules: &'a ModuleMap<Located>,
    pub(crate) compiler: &'a Tool,
    pub(crate) flags: &'a LinkFlags,
    /// Files that every backend reads, by the names that the compiler is given.
    pub(crate) named: &'a [AsmInput],
    /// What regular LTO defines beside the modules.
    pub(crate) regular: &'a [Definitions],
}

/// The plan over these modules.
pub(crate) fn planned_over<'a>(
    modules: &'a ModuleMap<Located>,
    promoted: PromotedNames,
    compiler: &Tool,
) -> std::result::Result<Plan<'a>, Stop> {
    let plan = Plan::new(modules.map(|located| &located.module), promoted).map_err(stop)?;
    Ok(plan.leaving_debug_out(compiler.row().shows_units))
}

/// A job for each of `indexes`; `on_job` hears of each.
pub(crate) fn plan_jobs(
    workspace: &Workspace,
    indexes: Vec<ThinIndex>,
    common: &Common<'_>,
    on_job: &mut dyn FnMut(&Job),
) -> std::result::Result<PlannedJobs, Stop> {
    let Common { plan, modules, .. } = *common;
    let _span = tracing::debug_span!("plan", modules = modules.len()).entered();
    let (indexes, facts) = read_indexes(&workspace.state, plan, indexes, modules)?;
    let mut planned = PlannedJobs {
        new_suffixes: plan.new_suffixes(indexes.iter().map(|index| &index.imports)),
        ..PlannedJobs::default()
    };
    let mut named = NamedFiles::default();
    let declared = named.declare(&workspace.state, common.flags.files())?;
    let dso_local = DsoLocal::of(indexes.iter().map(|index| index.imports.own.as_ref()), common.regular.iter());
    let draft = |index: &ReadIndex| Ok(plan.draft(&index.imports, &index.bytes, &facts, &dso_local));
    let drafts = parallel::map(&indexes, draft)?;
    let compiler = common.compiler.identity(&workspace.state)?;
    let numbers: Vec<Option<usize>> = indexes.iter().map(|index| index.number).collect();
    for (number, draft) in numbers.into_iter().zip(drafts) {
        let mut draft = draft.map_err(stop)?;
        draft.named_files.extend_from_slice(common.named);
        let own = &modules[draft.module].module;
        let mut extra_inputs = named.resolve(&workspace.state, &own.identifier, &draft.named_files)?;
        extra_inputs.extend_from_slice(&declared);
        common.flags.check_levels(own.recorded.is_some()).map_err(Stop::Refused)?;
        let mut arguments = common.flags.arguments(common.compiler.row(), &own.facts, own.recorded.as_ref());
        arguments.extend(side_arguments(common.flags, number, &own.identifier)?);
        let backend = plan.backend(draft, extra_inputs, compiler, arguments).map_err(stop)?;
        let job = PlannedJob { number, ..job(backend, modules, &named)? };
        on_job(&job.job);
        planned.jobs.push(job);
    }
    planned.named_files = named.paths().collect();
    Ok(planned)
}

/// What a backend is told of the files that it writes beside its object.
fn side_arguments(flags: &LinkFlags, number: Option<usize>, module: &str) -> std::result::Result<Vec<String>, Stop> {
    match (flags.side_files(), number) {
        (files, _) if files.is_empty() => Ok(Vec::new()),
        (files, Some(number)) => Ok(files.arguments(number)),
        (_, None) => {
            let reason = "lld does not tell the number of its object, after which files beside it are named".to_owned();
            Err(Stop::Refused(Refusal { option: module.to_owned(), reason }))
        }
    }
}

/// What lld has selected.
#[derive(Debug)]
pub(crate) struct Selected {
    /// In lld's order.
    pub(crate) modules: ModuleMap<Located>,
    /// One of each module.
    pub(crate) indexes: Vec<ThinIndex>,
}

/// An individual index as lld wrote it, and the module that it is of.
#[derive(Debug)]
pub(crate) struct ThinIndex {
    pub(crate) module: ModuleId,
    /// Of its LTO object, as far as lld tells.
    pub(crate) number: Option<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// An individual index as lld wrote it, and what it says of imports.
#[derive(Debug)]
pub(crate) struct ReadIndex {
    pub(crate) imports: Imports,
    pub(crate) number: Option<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// The modules that lld has selected, and their indexes.
pub(crate) fn select(candidates: Vec<Candidate>, thin: &ThinLink) -> std::result::Result<Selected, Stop> {
    let mut by_identifier: BTreeMap<String, Located> = candidates
        .into_iter()
        .map(|candidate| (candidate.located.module.identifier.clone(), candidate.located))
        .collect();
    let selected = thin.modules.iter().map(|selected| {
        by_identifier
            .remove(&selected.identifier)
            .ok_or_else(|| Stop::Refused(thin_link::unknown_module(&selected.identifier)))
    });
    let modules = ModuleMap::of_plan(selected.collect::<std::result::Result<_, Stop>>()?);
    let files = modules.with(thin.modules.iter().map(|selected| &selected.index).collect())?;
    let read = |(number, (module, file)): (usize, (ModuleId, &&PathBuf))| {
        let bytes = std::fs::read(file).map_err(|error| io("read", file, &error))?;
        Ok(ThinIndex { module, number: Some(number), bytes })
    };
    // 0 is regular LTO's.
    let indexes = (1..).zip(files.iter()).map(read).collect::<Result<_>>()?;
    Ok(Selected { modules, indexes })
}

/// What `indexes` say, and the facts of every module that is imported from.
pub(crate) fn read_indexes(
    state: &State,
    plan: &Plan<'_>,
    indexes: Vec<ThinIndex>,
    modules: &ModuleMap<Located>,
) -> std::result::Result<(Vec<ReadIndex>, BTreeMap<ModuleId, ImportFacts>), Stop> {
    let imports = parallel::map(&indexes, |index| Ok(plan.imports(index.module, &index.bytes)))?;
    let read = imports.into_iter().zip(indexes);
    let read = read.map(|(imports, index)| {
        Ok(ReadIndex { imports: imports.map_err(stop)?, number: index.number, bytes: index.bytes })
    });
    let indexes = read.collect::<std::result::Result<Vec<_>, Stop>>()?;
    let facts = imported::of_plan(state, indexes.iter().map(|index| &index.imports), modules)?;
    Ok((indexes, facts))
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
fn check_nothing_is_lost(
    thin: &ThinLink,
    candidates: &[Candidate],
    trace: &BTreeSet<&str>,
) -> std::result::Result<(), Stop> {
    let selected: BTreeSet<&str> = thin.modules.iter().map(|module| module.identifier.as_str()).collect();
    let mut not_listed =
        candidates.iter().filter(|candidate| !selected.contains(candidate.located.module.identifier.as_str()));
    let loaded = |candidate: &&Candidate| {
        candidate.located.module.facts.kind == LtoKind::Thin && trace.contains(candidate.trace_name.as_str())
    };
    // Of members with one name some may be loaded and some not.
    let listed =
        |name: &str| thin.modules.iter().any(|module| module.identifier.starts_with(name.trim_end_matches(')')));
    match not_listed.find(|candidate| loaded(candidate) && !listed(&candidate.trace_name)) {
        None => Ok(()),
        Some(candidate) => Err(Stop::Refused(Refusal {
            option: candidate.trace_name.clone(),
            reason: "lld has loaded this bitcode, but not as a module of ThinLTO".to_owned(),
        })),
    }
}

pub(crate) fn stop(error: plan::PlanError) -> Stop {
    match error {
        plan::PlanError::Refused(refusal) => Stop::Refused(refusal),
        other => Stop::Failed(Failure::of(other).hint("link again; if that gives the same, please report it")),
    }
}

/// Adds to an action where its inputs are on this host.
pub(crate) fn job(backend: Backend, modules: &ModuleMap<Located>, named: &NamedFiles) -> Result<PlannedJob> {
    let Located { module, source } = &modules[backend.module];
    let imports = || backend.imports.iter().map(|import| &modules[*import]);
    let extra = |path: &str| {
        let absolute = std::path::absolute(named.place(path)).map_err(|error| io("find", path, &error))?;
        Ok::<_, Failure>(Source::File { path: absolute, stamp: named.stamp(path) })
    };
    let name = |Located { module, .. }: &Located| ImportName {
        identifier: module.identifier.clone(),
        path: module.path.clone(),
    };
    Ok(PlannedJob {
        path: module.path.clone(),
        number: None,
        imports: imports().map(name).collect(),
        job: Job {
            name: module.identifier.clone(),
            module: source.clone(),
            imports: imports().map(|import| import.source.clone()).collect(),
            extra_inputs: backend.action.extra_inputs.iter().map(|input| extra(&input.path)).collect::<Result<_>>()?,
            index: Source::Bytes(Arc::from(backend.index)),
            action: backend.action,
        },
    })
}
