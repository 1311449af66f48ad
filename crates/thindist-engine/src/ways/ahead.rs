//! Compiles ahead of backends that a build runs as steps: if next to nothing of a plan is stored, lld compiles all of
//! it in one process, and each step then finds its object in the stores.
//!
//! Nothing here is the link's: whatever goes wrong, the steps compile.

use super::filling::{self, Filling, Kept};
use super::history::{History, Now};
use super::{TOO_LARGE, Way};
use crate::backends::execution;
use crate::failure::Result;
use crate::inputs::private_line;
use crate::inputs::survey::Survey;
use crate::plan::planning::Planned;
use crate::session::lld_run;
use crate::session::workspace::{InputDigests, Session};
use crate::thin::thin_link::ThinLink;
use thindist_exec::MakeJobserver;

/// Fewer backends take no longer apart, each with a compiler that starts anew.
const WORTH_IT: usize = 8;

/// What came of it, for stats.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Backends that lld has run.
    pub executed: usize,
    /// Why nothing is in the stores now that was not before.
    pub nothing: Option<String>,
}

/// Fills the stores, if that is the fastest that can be done for the steps of this plan.
pub(crate) fn harvest(
    session: &Session,
    survey: &Survey,
    inputs: &InputDigests,
    plan: (&ThinLink, &Planned),
) -> Result<Ahead> {
    if let Some(why) = refusal(session, plan.1)? {
        return Ok(Ahead { executed: 0, nothing: Some(why) });
    }
    let now = Now::of(survey, inputs)?;
    let mut history = History::load(session).unwrap_or_default();
    if history.was_too_large() {
        return Ok(Ahead { executed: 0, nothing: Some(TOO_LARGE.to_owned()) });
    }
    let changes = history.changes(&now);
    let Some(filling) = Filling::open(session, inputs, &mut history, &now, &changes) else {
        return Ok(Ahead { executed: 0, nothing: Some("lld has no private cache".to_owned()) });
    };
    let ahead = fill(session, filling, &mut history, plan)?;
    history.store(session);
    Ok(ahead)
}

/// Why the steps compile.
fn refusal(session: &Session, planned: &Planned) -> Result<Option<String>> {
    let settings = &session.workspace.settings;
    let is_ours = matches!(Way::forced(settings)?, None | Some(Way::InProcess));
    let beyond = settings.beyond_in_process()?;
    Ok(match () {
        () if !session.lld.row().names_lto_objects => {
            Some(format!("objects of lld {} are not taken for those of backends", session.lld.major))
        }
        () if !is_ours => Some("the setting says so".to_owned()),
        () if !beyond.is_empty() => Some(beyond),
        () if settings.get("remote_executor").is_some() => Some("there is an engine".to_owned()),
        () if planned.has_regular_part => Some("regular LTO would run a second time".to_owned()),
        () if session.workspace.is_passing() => Some("nothing is kept for the steps".to_owned()),
        () if planned.len() < WORTH_IT => Some("there are few backends".to_owned()),
        // make gives its steps more places than it lets this one have.
        () if MakeJobserver::is_out_of_reach(settings.environment().makeflags()) => {
            Some("make's jobserver is out of reach".to_owned())
        }
        () if is_stored(session, planned) => Some("most objects of the plan are in the stores".to_owned()),
        () => None,
    })
}

/// Most of a plan's objects are stored: the rest is made in the time in which lld would make it.
pub(crate) fn is_stored(session: &Session, planned: &Planned) -> bool {
    let known = execution::stored(&planned.batch(session));
    known * 2 > planned.len()
}

fn fill(
    session: &Session,
    filling: Filling<'_>,
    history: &mut History,
    (thin, planned): (&ThinLink, &Planned),
) -> Result<Ahead> {
    let permits = filling::permits(session)?;
    let output = session.workspace.make_directory("ahead")?.join(private_line::file_name(session.line.output()));
    let mut words = [private_line::plain_words(&session.line), private_line::to(&output)].concat();
    words.push(filling::threads(&permits));
    words.extend(filling.words());
    let run = lld_run::lld(session, "ahead.rsp", &words)?;
    drop(permits);
    if !run.success() {
        let was_interrupted = session.workspace.interrupt.token().is_cancelled();
        filling.abandon(history, was_interrupted && run.stderr.is_empty())?;
        // Its words are those of the link that comes, or of a backend.
        return Ok(Ahead { executed: 0, nothing: Some("lld does not link it in-process".to_owned()) });
    }
    let Kept { executed, unharvested, .. } =
        filling.keep(history, Some((thin, planned)), Some(&planned.named_files), &run)?;
    Ok(Ahead { executed, nothing: unharvested })
}
