//! `thindist cc <compiler> <arguments>`: for a build that calls `clang -fthinlto-index=` itself, such as kernel 7.2's
//! and Bazel's. It is called in front of the compiler, as ccache is.
//!
//! A call without that option becomes the compiler at once: nothing is read, opened or asked before that, as a kernel
//! makes 1,500 of these. A backend compilation becomes an action, with the arguments as they are given: answered from the
//! stores, or compiled. What is on the line and not understood only the compiler can carry out.
//!
//! What the compiler says is the user's: its words, with the names of the line. If it fails, it is run as it was called, so
//! that also its exit code is its own.

use crate::backends::batch;
use crate::backends::execution::{self, Batch};
use crate::backends::jobs::{Ended, Made, PlannedJob};
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::inputs::imported::{self, Located};
use crate::plan::extra_inputs::NamedFiles;
use crate::plan::planning;
use crate::report::{Report, Stream};
use crate::session::otherwise;
use crate::session::output_files;
use crate::session::stats::{Stats, Timer};
use crate::session::tools::{self, Tool};
use crate::session::workspace::Workspace;
use crate::settings::Settings;
use crate::stop::Stop;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use thindist_core::action_files::INDEX_NAME;
use thindist_core::bitcode;
use thindist_core::flags::compiler_line::{BackendLine, INDEX_OPTION};
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::index::{self, IndividualIndex};
use thindist_core::lld::link_line::{Refusal, Warnings};
use thindist_core::plan::dso_local::DsoLocal;
use thindist_core::plan::{self, Module, ModuleMap, Plan, PlanError};
use thindist_exec::{Outcome, Source};

/// What to do about an index that does not fit.
const AGAIN: &str = "run the thin link again (lld's --thinlto-index-only), then this";

/// Variables that make clang's driver do something else than its line says.
const DRIVER_VARIABLES: [&str; 2] = ["CCC_", "CC_PRINT_"];

/// The compiler as it is called.
pub fn cc(environment: &Environment, compiler: OsString, words: Vec<OsString>) -> Result<ExitCode> {
    let call = Call { compiler, words };
    if !call.is_backend() {
        return Err(call.exec());
    }
    let settings = Settings::load(environment)?;
    settings.reject_beyond_in_process("a build that calls the backends itself")?;
    match call.line(environment) {
        Ok(line) => carry(&call, &line, settings),
        Err(refusal) => call.straight(&settings, &refusal),
    }
}

/// The compiler as it was called.
struct Call {
    compiler: OsString,
    words: Vec<OsString>,
}

impl Call {
    fn is_backend(&self) -> bool {
        self.words.iter().any(|word| word.as_encoded_bytes().starts_with(INDEX_OPTION.as_bytes()))
    }

    fn line(&self, environment: &Environment) -> std::result::Result<BackendLine, Refusal> {
        let refuse = |option: String, reason: &str| Err(Refusal { option, reason: reason.to_owned() });
        let mut words = Vec::with_capacity(self.words.len());
        for word in &self.words {
            match word.to_str() {
                Some(word) => words.push(word.to_owned()),
                None => return refuse(word.display().to_string(), "it is not UTF-8"),
            }
        }
        let adjusts = |name: &OsString| DRIVER_VARIABLES.iter().any(|start| name.to_string_lossy().starts_with(start));
        if let Some((name, _)) = environment.variables().iter().find(|(name, _)| adjusts(name)) {
            return refuse(name.display().to_string(), "this variable changes what the compiler does");
        }
        BackendLine::parse(&words)
    }

    /// Becomes the compiler. Comes back only if it cannot be run.
    fn exec(&self) -> Failure {
        let error = Command::new(&self.compiler).args(&self.words).exec();
        io("run", &self.compiler, &error)
    }

    /// Leaves the call to the compiler with one warning, or refuses to.
    fn straight(&self, settings: &Settings, refusal: &Refusal) -> Result<ExitCode> {
        let Refusal { option, reason } = refusal;
        let remedy = "leave it out, or let the compiler run without the stores with THINDIST_FALLBACK=warn";
        otherwise::tell(settings, format_args!("{option}: {reason}"), "compiling without the stores", remedy)?;
        Err(self.exec())
    }
}

/// How a backend compilation ended here.
enum End {
    Made,
    /// The compiler is to do it as it was called, and to say what it has to.
    Compiler,
}

fn carry(call: &Call, line: &BackendLine, settings: Settings) -> Result<ExitCode> {
    let never = settings.never_falls_back()?;
    let workspace = Workspace::open(settings.clone())?;
    let ended = build(&workspace, call, line, never);
    // Whatever takes this process over: nothing of ours is cleaned up after that.
    match ended {
        Ok(End::Made) => workspace.finish(Ok(ExitCode::SUCCESS)),
        Ok(End::Compiler) => {
            workspace.finish(Ok(ExitCode::SUCCESS))?;
            Err(call.exec())
        }
        Err(Stop::Failed(failure)) => workspace.finish(Err(failure)),
        Err(Stop::Refused(refusal)) => {
            workspace.finish(Ok(ExitCode::SUCCESS))?;
            call.straight(&settings, &refusal)
        }
    }
}

fn build(workspace: &Workspace, call: &Call, line: &BackendLine, never: bool) -> std::result::Result<End, Stop> {
    let mut timer = Timer::start();
    let compiler = compiler(call, workspace)?;
    let bytes = std::fs::read(&line.index).map_err(|error| io("read", &line.index, &error).hint(AGAIN))?;
    let index = read_index(line, &bytes)?;
    if index.skip {
        return Ok(End::Compiler);
    }
    let planned = job(workspace, line, &compiler, &index, &bytes)?;
    timer.phase("plan");
    let batch = Batch {
        workspace,
        compiler: &compiler.path,
        max_jobs: None,
        warnings: Warnings::Silent,
        jobs: std::slice::from_ref(&planned),
        line: None,
    };
    let mut stats = Stats::of(&line.output);
    stats.modules = 1;
    let ended = execution::outcomes(&batch)?.pop();
    let Ended { planned, outcome } =
        ended.ok_or_else(|| Failure::internal(format_args!("{} has no outcome", line.module)))?;
    let native = match outcome {
        Outcome::Success(native) => native,
        Outcome::CompileFailed { .. } if !never => return Ok(End::Compiler),
        outcome => return Err(execution::report_failures(&batch, &[Ended { planned, outcome }]).into()),
    };
    let made = Made { planned, native };
    batch::settle(&batch, std::slice::from_ref(&made))?;
    *execution::count(&mut stats.backends, made.native.from) += 1;
    output_files::install(workspace, &made.native, Path::new(&line.output), false)?;
    tell(workspace.report(), &made.native.stderr, line, &planned.imported());
    timer.phase("backends");
    workspace.record(stats, &timer);
    Ok(End::Made)
}

/// The compiler that the call names, if it is one whose objects can be told apart by what it is.
fn compiler(call: &Call, workspace: &Workspace) -> std::result::Result<Tool, Stop> {
    let name = call.compiler.to_string_lossy();
    let refuse = |reason: String| Stop::Refused(Refusal { option: name.to_string(), reason });
    let path = tools::find_named(&name, workspace.settings.environment())
        .ok_or_else(|| Failure::new(format_args!("{name}: no such compiler")).hint("give a path, or a name in PATH"))?;
    let tool = tools::compiler(&path, workspace.settings.environment(), &workspace.state)
        .map_err(|failure| refuse(failure.to_string()))?;
    match tool.configuration_file() {
        Some(file) => Err(refuse(format!("it reads the configuration file {file}"))),
        None => Ok(tool),
    }
}

fn read_index(line: &BackendLine, bytes: &[u8]) -> Result<IndividualIndex> {
    let index =
        index::read(bytes).map_err(|error| Failure::new(format_args!("{}: {error}", line.index)).hint(AGAIN))?;
    let names_it = index.modules.iter().any(|module| module.identifier == line.module);
    if index.empty || index.skip || names_it {
        return Ok(index);
    }
    let names: Vec<&str> = index.modules.iter().map(|module| module.identifier.as_str()).collect();
    Err(Failure::new(format_args!(
        "{} is not the index of {}: it is of {}",
        line.index,
        line.module,
        if names.is_empty() { "no module".to_owned() } else { names.join(", ") }
    ))
    .hint("name the module as the thin link's line did, and its own index"))
}

/// The job, with the names of what it imports.
fn job(
    workspace: &Workspace,
    line: &BackendLine,
    compiler: &Tool,
    index: &IndividualIndex,
    bytes: &[u8],
) -> std::result::Result<PlannedJob, Stop> {
    let imported = index.modules.iter().map(|module| module.identifier.as_str()).filter(|name| *name != line.module);
    let names = std::iter::once(line.module.as_str()).chain(imported);
    let modules = names.map(|name| read_module(workspace, name, line, compiler)).collect::<Result<Vec<_>>>()?;
    let modules = ModuleMap::of_plan(modules);
    let own = modules.only(|located| located.module.identifier == line.module);
    let own =
        own.ok_or_else(|| Failure::internal(format_args!("{} is not one module of its own link", line.module)))?;
    let plan = Plan::new(modules.map(|located| &located.module), PromotedNames::Hash).map_err(stop)?;
    let imports = plan.imports(own, bytes).map_err(stop)?;
    let others = modules.iter().filter(|(id, _)| *id != own);
    let wanted: Vec<_> = others.map(|(id, located)| (id, located.module.bitcode, &located.source)).collect();
    let facts = imported::facts(&workspace.state, &wanted)?;
    plan.check_current(&imports, bytes, &facts).map_err(stop)?;
    // What other modules define, this index alone does not tell; the compiler as it was called does not know it either.
    let draft = plan.draft(&imports, bytes, &facts, &DsoLocal::default()).map_err(stop)?;
    let mut named = NamedFiles::default();
    let extra_inputs = named.resolve(&workspace.state, &line.module, &draft.named_files)?;
    let identity = compiler.identity(&workspace.state)?;
    let backend = plan.backend(draft, extra_inputs, identity, line.arguments(compiler.row())).map_err(stop)?;
    Ok(planning::job(backend, &modules, &named)?)
}

fn stop(error: PlanError) -> Stop {
    match error {
        PlanError::Refused(refusal) => Stop::Refused(refusal),
        PlanError::UnknownTarget { .. } => {
            Stop::Refused(Refusal { option: "its target".to_owned(), reason: error.to_string() })
        }
        other => Stop::Failed(Failure::new(other).hint(AGAIN)),
    }
}

fn read_module(workspace: &Workspace, name: &str, line: &BackendLine, compiler: &Tool) -> Result<Located> {
    let path = std::path::absolute(name).map_err(|error| io("find", name, &error))?;
    let why = |failure: Failure| {
        if name == line.module {
            failure
        } else {
            failure.hint(format_args!("{} imports from it, as {} says; {AGAIN}", line.module, line.index))
        }
    };
    let (bitcode, stamp) = workspace.state.digest_file(Path::new(name)).map_err(|error| why(error.into()))?;
    let bytes = std::fs::read(&path).map_err(|error| why(io("read", name, &error)))?;
    let facts = bitcode::read_module(&bytes).map_err(|error| {
        Failure::new(format_args!("{name}: {error}")).hint("the file is damaged or cut short; compile it again")
    })?;
    if let Some(major) = facts.llvm_major.filter(|major| *major > compiler.major) {
        return Err(Failure::new(format_args!(
            "{name}: bitcode of LLVM {major} ({}), but {} is of LLVM {}",
            facts.producer,
            compiler.path.display(),
            compiler.major
        ))
        .hint(format_args!("compile all of it with one compiler: clang {major}, or clang {}", compiler.major)));
    }
    let module = Module { identifier: name.to_owned(), path: name.to_owned(), recorded: None, facts, bitcode };
    Ok(Located { module, source: Source::File { path, stamp: Some(stamp) } })
}

/// The compiler's own words, with the names that it would have seen.
fn tell(report: &dyn Report, stderr: &[u8], line: &BackendLine, imported: &[&str]) {
    if stderr.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(stderr).replace(INDEX_NAME, &line.index);
    // If nobody listens, there is nobody to be told.
    let _ = report.pass_on(Stream::Error, plan::explain_names(&text, &line.module, imported).as_bytes());
}
