//! `thindist distribute [options] JOB.json`: the distributor of an lld >= 21 that links with DTLTO.
//!
//! lld has done the thin link, and waits. Its job file says which modules to compile and where their native objects go;
//! its line, which is asked of the waiting process, says with which options, and which input each module is. From that the
//! same actions are made as in `thindist ld`, so that both find each other's objects and both give in-process' bytes.
//! lld then links the native objects in their places.
//!
//! What an action cannot express is compiled as lld wrote it, with one warning and nothing stored.

mod identifiers;
mod linker;
pub(crate) mod modules;
mod outputs;
mod plain;

use crate::backends::execution::{self, Batch};
use crate::backends::what_ran::Line;
use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::finish::time_trace::Ran;
use crate::plan::planning::{self, Common, PlannedJobs};
use crate::report::Report;
use crate::session::otherwise;
use crate::session::remote::Tools;
use crate::session::stats::{BackendCounts, Stats, Timer};
use crate::session::tools::{self, Tool};
use crate::session::workspace::{Session, Workspace};
use crate::settings::Settings;
use crate::stop::Stop;
use linker::{LLDS_FILE, Linker};
use modules::{KnownFacts, Modules};
use outputs::Outputs;
use plain::Plain;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::bitcode::asm_inputs::AsmInput;
use thindist_core::flags::dtlto_flags::{self, DtltoFlags};
use thindist_core::flags::targets;
use thindist_core::index::promoted_names::PromotedNames;
use thindist_core::lld::dtlto::{self, DtltoJobs};
use thindist_core::lld::link_line::{OutputKind, Refusal};

const USAGE: &str = "usage: thindist distribute [--thindist-… settings] [options of the link in lld's spelling] JOB.json \
    (lld: --thinlto-distributor=/path/to/thindist --thinlto-distributor-arg=distribute)";

/// For those who allow nothing else than in-process.
const LEAVE_OUT: &str = "leave it out, or allow it with THINDIST_FALLBACK=warn";

/// One call of lld's.
struct Distribution<'a> {
    jobs: &'a DtltoJobs,
    linker: Option<&'a Linker>,
    compiler: Tool,
    flags: DtltoFlags,
    modules: Modules,
    /// The link, if what ran for it is to be remembered.
    line: Option<Line<'a>>,
}

/// Runs `thindist distribute` with these words and makes the native objects that its job file asks for.
pub fn run(environment: &Environment, words: Vec<OsString>) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (job_file, more) = read_words(settings.strip_flags(words)?)?;
    let jobs = read_jobs(&job_file)?;
    // Regular LTO and lld's own cache are lld's here, and keep in-process' names.
    settings.reject_beyond_in_process("a link by DTLTO")?;
    let linker = Linker::of(&job_file, &jobs);
    let workspace = Workspace::open(settings)?;
    if let Some(linker) = &linker {
        workspace.interrupt.when_it_ends(&linker.process);
    }
    let outcome = distribute(&workspace, &job_file, &jobs, linker.as_ref(), &more).map(|()| ExitCode::SUCCESS);
    if let (Some(linker), true) = (&linker, workspace.interrupt.token().is_cancelled()) {
        linker.clean_up(&job_file, &jobs);
    }
    workspace.finish(outcome)
}

/// The job file, which lld puts last, and options of the link.
fn read_words(words: Vec<OsString>) -> Result<(PathBuf, Vec<String>)> {
    let text = |word: OsString| {
        word.into_string().map_err(|word| Failure::new(format_args!("{} is not UTF-8", word.display())).hint(USAGE))
    };
    let mut words: Vec<String> = words.into_iter().map(text).collect::<Result<_>>()?;
    match words.pop().filter(|last| !last.starts_with('-')) {
        Some(job_file) => Ok((PathBuf::from(job_file), words)),
        None => Err(Failure::new("no job file").hint(USAGE)),
    }
}

fn read_jobs(job_file: &Path) -> Result<DtltoJobs> {
    let bytes = std::fs::read(job_file).map_err(|error| io("read", job_file, &error).hint(LLDS_FILE))?;
    dtlto::parse(&bytes).map_err(|error| {
        Failure::new(format_args!("{}: {error}", job_file.display()))
            .hint("this thindist reads what lld 21 to 24 write; a newer lld needs a newer thindist")
    })
}

/// The native objects for an lld that waits in a link of ld.thindist's. What an action cannot express is refused.
pub(crate) fn for_linker(
    session: &Session,
    job_file: &Path,
    known: &KnownFacts,
    counts: &mut BackendCounts,
) -> std::result::Result<(PlannedJobs, Vec<Ran>), Stop> {
    let jobs = read_jobs(job_file)?;
    outputs::check_places(job_file, &jobs.jobs)?;
    let linker = Linker::started(job_file, &session.lld.path, &session.line).ok_or_else(|| {
        Failure::new(format_args!("{} is not a name that lld gives to a job file", job_file.display()))
    })?;
    let modules = Modules::read(&session.workspace, &session.clang, job_file, &jobs, known)?;
    let flags = flags(session.workspace.report(), &jobs, Some(&linker), &[], &modules)?;
    if let Some(refusal) = flags.left_out.first() {
        return Err(Stop::Refused(refusal.clone()));
    }
    let line = Line { line: &session.line, lld: &session.lld.path, clang: &session.clang.path };
    let mut this = Distribution {
        jobs: &jobs,
        linker: Some(&linker),
        compiler: session.clang.clone(),
        flags,
        modules,
        line: Some(line),
    };
    this.check_target().map_err(Stop::Refused)?;
    this.modules.rename_to_in_process(&linker).map_err(Stop::Refused)?;
    let planned = this.plan(&session.workspace)?;
    let ran = this.build(&session.workspace, &planned, counts)?;
    Ok((planned, ran))
}

fn distribute(
    workspace: &Workspace,
    job_file: &Path,
    jobs: &DtltoJobs,
    linker: Option<&Linker>,
    more: &[String],
) -> Result<()> {
    let mut timer = Timer::start();
    let mut stats = Stats::of(&jobs.linker_output);
    stats.modules = jobs.jobs.len();
    outputs::check_places(job_file, &jobs.jobs)?;
    let compiler = compiler(workspace, jobs, linker)?;
    let modules = Modules::read(workspace, &compiler, job_file, jobs, &KnownFacts::new())?;
    let flags = flags(workspace.report(), jobs, linker, more, &modules)?;
    let mut this = Distribution { jobs, linker, compiler, flags, modules, line: None };
    this.tell_left_out(workspace)?;
    this.take_identifiers(workspace)?;
    match this.plan(workspace) {
        Ok(planned) => {
            timer.phase("plan");
            this.build(workspace, &planned, &mut stats.backends)?;
        }
        Err(Stop::Refused(refusal)) => {
            this.fall_back(workspace, &refusal)?;
            stats.backends.fallback = stats.modules;
        }
        Err(Stop::Failed(failure)) => return Err(failure),
    }
    timer.phase("backends");
    workspace.record(stats, &timer);
    Ok(())
}

/// lld names the compiler, unless the user does.
fn compiler(workspace: &Workspace, jobs: &DtltoJobs, linker: Option<&Linker>) -> Result<Tool> {
    let environment = workspace.settings.environment();
    let path = tools::named_clang(&workspace.settings).unwrap_or_else(|| {
        tools::find_named(&jobs.compiler, environment).ok_or_else(|| {
            Failure::new(format_args!("{}: no such compiler", jobs.compiler))
                .hint("name one with lld's --thinlto-remote-compiler=, which clang does by itself")
        })
    })?;
    let compiler = tools::compiler(&path, environment, &workspace.state)?;
    // A linker whose version cannot be asked under its file's name has got this far all the same.
    let examined = |linker: &Linker| Tool::examine(&linker.program, environment, &workspace.state).ok();
    if let Some(lld) = linker.and_then(examined) {
        tools::check_same_llvm(&compiler, &lld)?;
    }
    Ok(compiler)
}

/// The options of the backends: lld's line and `more`, or what the job file has of it and `more`.
fn flags(
    report: &dyn Report,
    jobs: &DtltoJobs,
    linker: Option<&Linker>,
    more: &[String],
    modules: &Modules,
) -> Result<DtltoFlags> {
    let words = match linker {
        Some(linker) => [&linker.words, more].concat(),
        None => dtlto_flags::line_of_jobs(jobs, more),
    };
    let flags = dtlto_flags::of_line(jobs, &words).map_err(|error| Failure::new(error).hint(USAGE))?;
    if linker.is_none() {
        warn_of_unknown_line(report, jobs, &flags, more, modules)?;
    }
    Ok(flags)
}

/// Without lld's line: what the job file leaves out is not known, and must not be guessed where it decides.
fn warn_of_unknown_line(
    report: &dyn Report,
    jobs: &DtltoJobs,
    flags: &DtltoFlags,
    more: &[String],
    modules: &Modules,
) -> Result<()> {
    let is_told = flags.line.output_kind() == OutputKind::Relocatable
        || more.iter().any(|word| matches!(word.as_str(), "-no-pie" | "--no-pie"));
    if let Some(module) = modules.position_independent().filter(|_| !jobs.pic && !is_told) {
        return Err(Failure::new(format_args!(
            "{module} is compiled for any address, and the job file does not say whether the output is one of `-r`, \
             which keeps that, or an executable at a fixed address"
        ))
        .hint("lld is not running, so its line cannot be asked: add `-r` or `-no-pie` in front of the job file"));
    }
    report.warning(
        "the lld that wrote the job file is not running or has another line: what DTLTO leaves out of \
         job files (-mllvm, CPU) is only known as far as it stands on distribute's own line",
    );
    Ok(())
}

impl Distribution<'_> {
    /// Says what in-process ThinLTO would heed and these backends do not.
    fn tell_left_out(&self, workspace: &Workspace) -> Result<()> {
        let mut left_out = self.flags.left_out.clone();
        left_out.extend(self.check_target().err());
        let without = "backends of DTLTO do without";
        let tell = |refusal| otherwise::tell(&workspace.settings, refusal, without, LEAVE_OUT);
        left_out.iter().try_for_each(tell)
    }

    /// Whether these backends give in-process' bytes for the target, with what the user has the compiler told besides.
    fn check_target(&self) -> std::result::Result<(), Refusal> {
        self.flags.flags.check_target(&self.jobs.target, !self.jobs.extra.is_empty())
    }

    /// Gives the modules their identifiers in-process, or says that it cannot.
    fn take_identifiers(&mut self, workspace: &Workspace) -> Result<()> {
        let Some(linker) = self.linker else { return Ok(()) };
        match self.modules.rename_to_in_process(linker) {
            Ok(()) => Ok(()),
            Err(refusal) => otherwise::tell(&workspace.settings, &refusal, "taking DTLTO's order instead", LEAVE_OUT),
        }
    }

    fn plan(&mut self, workspace: &Workspace) -> std::result::Result<PlannedJobs, Stop> {
        let named: Vec<AsmInput> = self.jobs.common_inputs.iter().cloned().map(AsmInput::Incbin).collect();
        let mut flags = self.flags.flags.clone();
        flags.add_compiler_options(&self.jobs.extra, &self.jobs.common_inputs).map_err(Stop::Refused)?;
        let modules = self.modules.of_plan();
        targets::check_triples(modules.values().map(|located| located.module.target()))
            .map_err(planning::mixed_targets)?;
        let indexes = self.modules.indexes(&self.jobs.jobs)?;
        let plan = planning::planned_over(modules, PromotedNames::Hash, &self.compiler)?;
        let compiler = &self.compiler;
        let common = Common { plan: &plan, modules, compiler, flags: &flags, named: &named, regular: &[] };
        let places = execution::places_beside(workspace, self.flags.line.jobs())?;
        let tools = Tools { settings: &workspace.settings, state: &workspace.state, compiler: &self.compiler.path };
        workspace
            .remote
            .while_planning(tools, places, |planned| planning::plan_jobs(workspace, indexes, &common, planned))
    }

    /// Gives the backends that were run.
    fn build(&self, workspace: &Workspace, planned: &PlannedJobs, counts: &mut BackendCounts) -> Result<Vec<Ran>> {
        let batch = Batch {
            workspace,
            compiler: &self.compiler.path,
            max_jobs: self.flags.line.jobs(),
            warnings: self.flags.line.warnings(),
            jobs: &planned.jobs,
            line: self.line,
        };
        let keep = self.linker.is_none_or(Linker::keeps_natives);
        let outputs = Outputs { batch: &batch, jobs: &self.jobs.jobs, copy: keep, flags: &self.flags.flags };
        let ran = outputs.make(counts)?;
        if workspace.settings.is_on("verify") {
            self.plain().verify(workspace, planned)?;
        }
        Ok(ran)
    }

    /// Compiles as any distributor would: for what an action cannot express.
    fn fall_back(&self, workspace: &Workspace, refusal: &Refusal) -> Result<()> {
        otherwise::tell(&workspace.settings, refusal, "compiling without the stores", LEAVE_OUT)?;
        self.plain().compile_all(workspace)
    }

    fn plain(&self) -> Plain<'_> {
        Plain { compiler: &self.compiler, flags: &self.flags.flags, jobs: self.jobs, modules: &self.modules }
    }
}
