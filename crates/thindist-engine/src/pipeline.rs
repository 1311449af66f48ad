//! One link through separate backends: thin link -> plan -> look up -> execute -> final link.
//!
//! Each step is a file elsewhere; this one puts them in a row.

use super::stop::Stop;
use crate::backends::execution;
use crate::failure::Failure;
use crate::finish::final_link::{self, Linked};
use crate::finish::kept;
use crate::finish::native_objects;
use crate::finish::parts::Parts;
use crate::finish::side_files;
use crate::inputs::survey::Survey;
use crate::plan::planning::{self, Planned};
use crate::session::doubts::Doubts;
use crate::session::lto_object::LtoObject;
use crate::session::remote::Tools;
use crate::session::stats::{Stats, Timer};
use crate::session::workspace::{InputDigests, Session};
use crate::thin::thin_link::{self, ThinLink};
use std::collections::BTreeMap;
use std::path::PathBuf;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::lld::link_line::{Refusal, Warnings};
use thindist_exec::Job;

/// What a distributed link gives, for comparison.
#[derive(Debug)]
pub(crate) struct Distributed {
    /// Each module's identifier and native object, in the thin link's order.
    pub natives: Vec<(String, PathBuf)>,
    /// The regular-LTO object, where some bitcode takes part in regular LTO.
    pub regular_object: Option<PathBuf>,
    /// The output, not in its place; `None` if it is no regular file.
    pub output: Option<PathBuf>,
    /// What suffixes of promoted names in-process are here, where names are stable.
    pub new_suffixes: BTreeMap<String, String>,
}

/// The link without its memo and without putting the output in place.
pub(crate) fn distribute(
    session: &Session,
    survey: &Survey,
    stats: &mut Stats,
    timer: &mut Timer,
) -> std::result::Result<Distributed, Stop> {
    let inputs = session.digest_inputs(survey.files())?;
    let link = Separate { session, survey, doubts: Doubts::Shown };
    let (planned, linked, objects) = link.build(&inputs, stats, timer)?;
    let names = planned.jobs.iter().map(|planned| planned.job.name.clone());
    Ok(Distributed {
        natives: names.zip(objects.into_iter().map(|object| object.path)).collect(),
        regular_object: planned.has_regular_part.then(|| session.workspace.path("thin/regular.o")),
        output: linked.file,
        new_suffixes: planned.new_suffixes,
    })
}

/// Thin link and plan.
pub(crate) fn plan(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    timer: &mut Timer,
) -> std::result::Result<(ThinLink, Planned), Stop> {
    plan_telling(session, survey, inputs, timer, &mut |_| {})
}

/// The same; `planned` hears of each job as soon as it is made.
fn plan_telling(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    timer: &mut Timer,
    planned: &mut dyn FnMut(&Job),
) -> std::result::Result<(ThinLink, Planned), Stop> {
    let flags = LinkFlags::of(&session.line).map_err(Stop::Refused)?;
    check_dependency_file(session)?;
    let candidates = planning::read_candidates(session, survey, inputs)?;
    timer.phase("plan");
    let thin = thin_link::run(session, survey, inputs)?;
    timer.phase("thin_link");
    let planned = planning::plan(session, &flags, candidates, &thin, planned)?;
    timer.phase("plan");
    Ok((thin, planned))
}

/// Why separate backends cannot do a link, as an error.
pub(crate) fn only_in_process(stop: Stop) -> Failure {
    stop.into_failure(Some("such a link is done in-process: there are no backends of it"))
}

/// The plan of a link that lld does meanwhile, or why there is none. Says nothing, and needs nobody.
pub(crate) fn plan_beside(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
) -> std::result::Result<(ThinLink, Planned), Stop> {
    let flags = LinkFlags::of(&session.line).map_err(Stop::Refused)?;
    let candidates = planning::read_candidates(session, survey, inputs)?;
    if candidates.iter().any(planning::Candidate::has_regular_part) {
        return Err(Failure::new("regular LTO would be done once more").into());
    }
    let thin = thin_link::run_silently(session, survey, inputs)?;
    let planned = planning::plan(session, &flags, candidates, &thin, &mut |_| {})?;
    Ok((thin, planned))
}

/// A dependency file of a link of several steps would be that of one of them.
pub(crate) fn check_dependency_file(session: &Session) -> std::result::Result<(), Stop> {
    if session.line.dependency_files().next().is_none() {
        return Ok(());
    }
    let reason = "the files that it lists would be those of one step of the link".to_owned();
    Err(Stop::Refused(Refusal { option: "--dependency-file".to_owned(), reason }))
}

/// A link by separate backends and a final link of our own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Separate<'a> {
    pub(crate) session: &'a Session,
    pub(crate) survey: &'a Survey,
    /// What becomes of it if it may come out otherwise than in-process.
    pub(crate) doubts: Doubts,
}

impl Separate<'_> {
    /// Thin link, plan, backends, final link.
    pub(crate) fn build(
        self,
        inputs: &InputDigests,
        stats: &mut Stats,
        timer: &mut Timer,
    ) -> std::result::Result<(Planned, Linked, Vec<LtoObject>), Stop> {
        let Self { session, survey, .. } = self;
        let places = execution::places_beside(&session.workspace, session.line.jobs())?;
        let tools = Tools {
            settings: &session.workspace.settings,
            state: &session.workspace.state,
            compiler: &session.clang.path,
        };
        let (thin, planned) = session
            .workspace
            .remote
            .while_planning(tools, places, |planned| plan_telling(session, survey, inputs, timer, planned))?;
        let (linked, objects) = self.finish(&thin, &planned, stats, timer)?;
        Ok((planned, linked, objects))
    }

    /// Backends and final link. Gives the native objects, in the plan's order.
    pub(crate) fn finish(
        self,
        thin: &ThinLink,
        planned: &Planned,
        stats: &mut Stats,
        timer: &mut Timer,
    ) -> std::result::Result<(Linked, Vec<LtoObject>), Stop> {
        let Self { session, survey, doubts } = self;
        check_dependency_file(session)?;
        stats.modules = planned.len();
        let placed = native_objects::build(session, planned, &mut stats.backends)?;
        let (made, files): (Vec<_>, Vec<_>) = placed.into_iter().map(|placed| (placed.made, placed.file)).unzip();
        kept::keep(session, &made)?;
        // In-process they are there as well when the link fails after that.
        side_files::put(&session.workspace, &planned.side_files, &made)?;
        timer.phase("backends");
        let parts = Parts {
            trace: &thin.trace,
            bitcode: &planned.bitcode,
            regular_object: planned.has_regular_part.then_some(thin.regular_object.as_path()),
            natives: &files,
            said: &thin.diagnostics,
            doubts,
        };
        let mut linked = final_link::run(session, survey, &parts)?;
        if session.line.warnings() != Warnings::Silent {
            linked.diagnostics.extend(execution::warnings(&made));
        }
        timer.phase("final_link");
        Ok((linked, files))
    }
}
