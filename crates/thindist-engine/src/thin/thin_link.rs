//! The thin link: the real lld in index-only mode.

use crate::failure::{Failure, Result, io};
use crate::inputs::survey::Survey;
use crate::session::lld_run::{self, Run};
use crate::session::lto_object::lto_object_path;
use crate::session::workspace::{InputDigests, Session, size_of, text};
use std::path::{Path, PathBuf};
use thindist_core::lld::final_line::{self, ThinLinkPaths};
use thindist_core::lld::link_line::Refusal;

/// What the thin link tells.
#[derive(Debug)]
pub(crate) struct ThinLink {
    /// The selected ThinLTO modules in lld's order of tasks.
    pub(crate) modules: Vec<ThinModule>,
    /// The names of the files that lld has loaded, in order.
    pub trace: Vec<String>,
    /// Regular LTO's object; it says nothing if no bitcode takes part in regular LTO.
    pub regular_object: PathBuf,
    /// The lines that lld has written on stderr.
    pub(crate) diagnostics: Vec<String>,
    /// What is put before an identifier to make the path of its index.
    index_prefix: String,
}

impl ThinLink {
    /// What lld writes for a module beside its index, or in place of one for a module that it did not select.
    pub(crate) fn beside(&self, identifier: &str, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{identifier}{suffix}", self.index_prefix))
    }
}

/// A selected module.
#[derive(Debug)]
pub(crate) struct ThinModule {
    pub(crate) identifier: String,
    pub(crate) index: PathBuf,
}

/// Runs it; what lld says is passed on.
pub(crate) fn run(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
) -> std::result::Result<ThinLink, crate::stop::Stop> {
    run_telling(session, survey, inputs, true)
}

/// Runs it beside another lld, which says the same.
pub(crate) fn run_silently(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
) -> std::result::Result<ThinLink, crate::stop::Stop> {
    run_telling(session, survey, inputs, false)
}

fn run_telling(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    tells: bool,
) -> std::result::Result<ThinLink, crate::stop::Stop> {
    let _span = tracing::debug_span!("thin_link").entered();
    let place = || session.workspace.make_scratch("thin", || size_of(inputs));
    let mut written = write(session, survey, &place()?)?;
    if written.run.met_full_memory(session) && session.workspace.leave_memory() {
        written = write(session, survey, &place()?)?;
    }
    let Written { run, list, index_prefix, regular_object } = written;
    let diagnostics = lld_run::lines(&run.stderr);
    if tells {
        lld_run::print(session.workspace.report(), &diagnostics);
    }
    if !run.success() {
        return Err(run.failure(&session.lld.path).into());
    }
    let list = std::fs::read_to_string(&list).map_err(|error| io("read", &list, &error))?;
    let modules = list.lines().map(|line| selected(line, &index_prefix)).collect::<Result<_>>()?;
    let trace = lld_run::lines(&run.stdout);
    if tells && session.line.options().any(|(spec, _)| matches!(spec.name, "t" | "trace")) {
        let text: String = trace.iter().map(|line| format!("{line}\n")).collect();
        lld_run::write_stdout(session, text.as_bytes())?;
    }
    Ok(ThinLink { modules, trace, regular_object: PathBuf::from(regular_object), diagnostics, index_prefix })
}

/// What lld has written below a directory, if it has succeeded.
struct Written {
    run: Run,
    list: String,
    index_prefix: String,
    regular_object: String,
}

fn write(session: &Session, survey: &Survey, place: &Path) -> std::result::Result<Written, crate::stop::Stop> {
    let below = |name: &str| text(&place.join(name));
    let index_prefix = format!("{}/", below(&format!("index{}", "/d".repeat(levels_above(survey))))?);
    if let Some(refusal) = too_long(session, survey, &index_prefix) {
        return Err(crate::stop::Stop::Refused(refusal));
    }
    session.workspace.make_directory("thin")?;
    // As large as an output: not in memory.
    let regular_object = session.workspace.text_path("thin/regular.o")?;
    let list = below("list")?;
    let paths = ThinLinkPaths {
        list: &list,
        index_prefix: &index_prefix,
        regular_object: &regular_object,
        output: &below("none")?,
    };
    let run = lld_run::lld(session, "thin.rsp", &final_line::thin_link(&session.line, &paths))?;
    Ok(Written { run, list, index_prefix, regular_object })
}

fn selected(line: &str, prefix: &str) -> Result<ThinModule> {
    let identifier = line
        .strip_prefix(prefix)
        .ok_or_else(|| Failure::new(format_args!("the thin link's list names {line}, which is not below {prefix}")))?;
    Ok(ThinModule { identifier: identifier.to_owned(), index: PathBuf::from(format!("{line}.thinlto.bc")) })
}

/// How many directories the deepest `..` of any module identifier could climb: indexes are written below as many, so
/// that none leaves the link's directory.
fn levels_above(survey: &Survey) -> usize {
    let climbs = |path: &str| path.split(['/', '(']).filter(|component| *component == "..").count();
    survey.bitcode().keys().map(|identifier| climbs(identifier)).max().unwrap_or(0)
}

/// In-process, an index and a native object are no files, whatever a module is called.
fn too_long(session: &Session, survey: &Survey, index_prefix: &str) -> Option<Refusal> {
    const PATH: usize = 4095;
    const COMPONENT: usize = 255;
    let modules = survey.bitcode();
    let is_too_long = |identifier: &&&str| {
        let index = format!("{index_prefix}{identifier}.thinlto.bc");
        let object = lto_object_path(session.line.output(), identifier);
        let longest = index.split('/').chain(object.rsplit('/').take(1)).map(str::len).max();
        index.len() > PATH || longest > Some(COMPONENT)
    };
    modules.keys().find(is_too_long).map(|identifier| Refusal {
        option: (*identifier).to_owned(),
        reason: "the name is too long to make another file's name of it".to_owned(),
    })
}

/// Refuses modules that did not come from the line itself.
pub(crate) fn unknown_module(identifier: &str) -> Refusal {
    Refusal {
        option: identifier.to_owned(),
        reason: "this bitcode is not named on the line but by a linker script or a library within it".to_owned(),
    }
}
