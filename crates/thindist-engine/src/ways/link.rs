//! Does one link by the way that the rule has chosen, and records it.

use super::distributor::{self, Distributed};
use super::history::{Changes, History, Now};
use super::in_process::{self, Ended};
use super::listed::not_listed;
use super::{Chosen, Last, Situation, Way, choose, private_cache};
use crate::backends::explained::record::{self as explained, ByLld};
use crate::backends::jobs::PlannedJob;
use crate::failure::Result;
use crate::finish::final_link::Linked;
use crate::inputs::survey::Survey;
use crate::inputs::words::ForLld;
use crate::memo::{Memo, Remembered};
use crate::parallel::cores;
use crate::pipeline::Separate;
use crate::plan::planning::Planned;
use crate::session::doubts::Doubts;
use crate::session::lld_run;
use crate::session::otherwise;
use crate::session::stats::{Stats, Timer};
use crate::session::workspace::{InputDigests, Session};
use crate::stop::Stop;
use crate::thin::thin_link::ThinLink;
use std::sync::PoisonError;
use thindist_core::lld::link_line::Refusal;

/// What thin link, plan and final link of separate backends take beside one run of lld: so many modules a millisecond. (Kernel
/// 6.12, 1,005 modules: 0.93 to 1.15 s against 0.46 s.)
const MODULES_A_MS: usize = 2;

/// A line that is to be linked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) session: &'a Session,
    pub(crate) survey: &'a Survey,
    pub(crate) inputs: &'a InputDigests,
    pub(crate) words: &'a ForLld,
    /// Why its backends cannot be separate, if they cannot; that has been said.
    pub(crate) uncarried: Option<&'a Refusal>,
    pub(crate) memo: &'a Memo,
}

/// Links it, and puts the output into its place.
pub(crate) fn link(line: &Line<'_>, stats: &mut Stats, timer: &mut Timer) -> std::result::Result<(), Stop> {
    let now = Now::of(line.survey, line.inputs)?;
    let known = History::load(line.session);
    let is_known = known.is_some();
    let mut history = known.unwrap_or_default();
    let changes = history.changes(&now);
    let situation = situation(line, is_known.then(|| last(line.session, &now, &history, &changes)))?;
    let chosen = choose(&situation);
    falls_short(line, &chosen)?;
    let mut this = Linking {
        line,
        now: &now,
        changes: &changes,
        history: &mut history,
        is_asked_for: situation.asks_for_separate(),
        separate: situation.separate,
        stats,
        timer,
    };
    match chosen.way {
        Way::InProcess => {
            this.go(Way::InProcess, chosen.why);
            this.in_process()?;
        }
        way => this.separately(way, chosen.why)?,
    }
    history.store(line.session);
    Ok(())
}

fn situation(line: &Line<'_>, last: Option<Last>) -> Result<Situation> {
    let Line { session, survey, uncarried, .. } = line;
    let settings = &session.workspace.settings;
    let beyond = settings.beyond_in_process()?;
    let keeps = settings.get("keep_native").map(|_| "each native object is to be kept");
    let forced = Way::forced(settings)?;
    // An output that in-process cannot give is held against none.
    let is_held_to_list = Doubts::of(session)? == Doubts::Refused;
    let index_only = || match not_listed(&session.line, survey).filter(|_| is_held_to_list) {
        None => Ok(Way::IndexOnly),
        Some(reason) => Err(reason),
    };
    let by_distributor = || match distributor::refusal(&session.line, session.lld.row(), survey) {
        None if beyond.is_empty() && keeps.is_none() => Ok(Way::Distributor),
        None => Err("the distributor way does not support that".to_owned()),
        Some(reason) => Err(reason),
    };
    let separate = match (uncarried, forced) {
        (Some(refusal), _) => Err(refusal.to_string()),
        (None, None) if private_cache::is_users_own(&session.line) => Err("the line names a cache of lld's".to_owned()),
        (None, Some(Way::IndexOnly)) => index_only(),
        (None, Some(Way::Distributor)) => by_distributor(),
        (None, _) => by_distributor().or_else(|_| index_only()),
    };
    Ok(Situation {
        forced,
        needs_separate: Some(beyond).filter(|beyond| !beyond.is_empty()).or_else(|| keeps.map(str::to_owned)),
        has_engine: settings.get("remote_executor").is_some(),
        has_side_files: session.line.has_side_files(),
        separate,
        last,
    })
}

fn last(session: &Session, now: &Now, known: &History, changes: &Changes) -> Last {
    let repeats = known.estimate_ms(now, changes.repeated.iter());
    Last {
        lld_repeats_ms: repeats / cores().max(1) as u64,
        separate_ms: (now.len() / MODULES_A_MS) as u64,
        is_warm: private_cache::is_there(session, known, now),
        is_stored: known.is_stored,
        spoke: known.spoke,
        too_large: known.was_too_large(),
    }
}

/// Something was asked for that this line does not get.
fn falls_short(line: &Line<'_>, chosen: &Chosen) -> Result<()> {
    if !chosen.falls_short || line.uncarried.is_some() {
        return Ok(());
    }
    let remedy = "change the line, or allow in-process ThinLTO with THINDIST_FALLBACK=warn";
    otherwise::tell(&line.session.workspace.settings, &chosen.why, "linking in-process", remedy)
}

struct Linking<'a> {
    line: &'a Line<'a>,
    now: &'a Now,
    /// Since the last link.
    changes: &'a Changes,
    history: &'a mut History,
    separate: std::result::Result<Way, String>,
    /// That backends are not separate is worth a warning.
    is_asked_for: bool,
    stats: &'a mut Stats,
    timer: &'a mut Timer,
}

impl<'a> Linking<'a> {
    /// Says which way is taken now.
    fn go(&mut self, way: Way, why: String) {
        tracing::info!(way = way.name(), why, output = self.line.session.line.output(), "way");
        self.stats.way = Some(way.name());
        self.stats.why.clone_from(&why);
        let mut chosen = self.line.session.workspace.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        *chosen = Some((way, why));
    }

    fn of_lld(&self) -> in_process::Link<'a> {
        let Line { session, survey, inputs, words, uncarried, .. } = *self.line;
        let can_be_harvested = session.lld.row().names_lto_objects && !session.line.has_side_files();
        let is_carried = uncarried.is_none() && can_be_harvested;
        in_process::Link {
            session,
            survey,
            inputs,
            words,
            now: self.now,
            changes: self.changes,
            is_carried,
            may_divert: self.separate.is_ok(),
        }
    }

    /// What lld is about to compile, as far as it is known.
    fn by_lld(&self) -> ByLld {
        if self.history.is_new() {
            return ByLld { is_first: true, ..ByLld::default() };
        }
        let repeated = self.history.reasons(self.changes);
        ByLld { repeated, changed: self.changes.changed.iter().cloned().collect(), ..ByLld::default() }
    }

    fn in_process(&mut self) -> std::result::Result<(), Stop> {
        let by_lld = self.by_lld();
        match in_process::run(&self.of_lld(), self.history)? {
            Ended::Linked(linked) => {
                if !linked.is_harvested {
                    let by_lld = ByLld { modules: linked.modules, ran: linked.executed, ..by_lld };
                    explained::by_lld(self.line.session.line.output(), &self.line.session.workspace, by_lld);
                }
                self.note(*linked)
            }
            Ended::Diverted(plan) => {
                let (thin, planned) = *plan;
                self.diverted(&thin, &planned)
            }
            Ended::Killed(failure) => match self.separate.clone() {
                Ok(way) => {
                    self.line
                        .session
                        .workspace
                        .report()
                        .warning(&format!("{failure}; running the backends separately"));
                    self.separately(way, failure.to_string())
                }
                Err(_) => Err(failure.into()),
            },
        }
    }

    /// What lld has linked.
    fn note(&mut self, linked: in_process::Linked) -> std::result::Result<(), Stop> {
        let stats = &mut *self.stats;
        stats.modules = linked.modules;
        let falls_short = self.is_asked_for && self.separate.is_err();
        if self.line.uncarried.is_some() || falls_short {
            stats.backends.fallback = linked.modules;
        } else {
            stats.backends.executed = linked.executed;
            stats.backends.local_cache = linked.modules.saturating_sub(linked.executed);
        }
        if let Some(why) = linked.unharvested {
            stats.why = format!("{}; nothing was harvested: {why}", stats.why);
        }
        self.timer.phase("backends");
        // A link that has not got what was asked for has to say so again.
        if let (Some(remembered), false) = (&linked.remembered, falls_short) {
            // lld's output is in its place.
            let stored = self.line.memo.store(self.line.session, remembered);
            let _ = stored.inspect_err(|failure| failure.warn(self.line.session.workspace.report()));
        }
        self.timer.phase("final_link");
        Ok(())
    }

    /// The plan is there already: what is stored is linked, what is missing runs. A distributor has to begin anew: lld plans.
    fn diverted(&mut self, thin: &ThinLink, planned: &Planned) -> std::result::Result<(), Stop> {
        let Line { session, survey, .. } = *self.line;
        let why = "most objects of the plan are in the stores".to_owned();
        if self.separate == Ok(Way::Distributor) {
            return self.separately(Way::Distributor, why);
        }
        self.go(Way::IndexOnly, why);
        self.timer.phase("plan");
        let ended =
            Separate { session, survey, doubts: Doubts::of(session)? }.finish(thin, planned, self.stats, self.timer);
        match self.or_in_process(ended)? {
            Some((linked, _)) => {
                lld_run::print(session.workspace.report(), &thin.diagnostics);
                self.conclude(planned, &linked)
            }
            None => Ok(()),
        }
    }

    /// What the index-only way gives, or nothing, where it has found out that lld has to do it: then lld has.
    fn or_in_process<T>(&mut self, ended: std::result::Result<T, Stop>) -> std::result::Result<Option<T>, Stop> {
        match ended {
            Ok(done) => Ok(Some(done)),
            Err(Stop::Refused(refusal)) => {
                if self.is_asked_for {
                    super::hand_over::warn(&self.line.session.workspace.settings, &refusal)?;
                }
                self.separate = Err(refusal.to_string());
                self.go(Way::InProcess, refusal.to_string());
                self.stats.backends = Default::default();
                self.in_process().map(|()| None)
            }
            Err(failed) => Err(failed),
        }
    }

    fn separately(&mut self, way: Way, why: String) -> std::result::Result<(), Stop> {
        let Line { session, survey, inputs, .. } = *self.line;
        self.go(way, why);
        if way == Way::IndexOnly {
            let ended =
                Separate { session, survey, doubts: Doubts::of(session)? }.build(inputs, self.stats, self.timer);
            let Some((planned, linked, _)) = self.or_in_process(ended)? else { return Ok(()) };
            return self.conclude(&planned, &linked);
        }
        self.distributed()
    }

    fn distributed(&mut self) -> std::result::Result<(), Stop> {
        let ended = distributor::run(&self.of_lld(), &mut self.stats.backends, self.timer);
        // One that is refused has printed and written nothing.
        if let Err(Stop::Refused(refusal)) = &ended
            && self.is_asked_for
            && not_listed(&self.line.session.line, self.line.survey).is_none()
        {
            return self.separately(Way::IndexOnly, refusal.to_string());
        }
        match self.or_in_process(ended)? {
            Some(distributed) => self.conclude_distributed(&distributed),
            None => Ok(()),
        }
    }

    fn conclude_distributed(&mut self, distributed: &Distributed) -> std::result::Result<(), Stop> {
        let session = self.line.session;
        let Distributed { remembered, planned, .. } = distributed;
        self.stats.modules = planned.jobs.len();
        self.line.memo.store(session, remembered)?;
        distributed.install(session)?;
        self.remember(&planned.jobs, &planned.named_files);
        self.timer.phase("final_link");
        Ok(())
    }

    /// What separate backends were linked into by our own final link.
    fn conclude(&mut self, planned: &Planned, linked: &Linked) -> std::result::Result<(), Stop> {
        let session = self.line.session;
        // What regular LTO's assembly reads inside the thin link nobody tells.
        if let (Some(output), false) = (&linked.file, planned.has_regular_part) {
            let remembered = Remembered {
                output: output.clone(),
                diagnostics: linked.diagnostics.clone(),
                read: linked.read.clone(),
                named_files: planned.named_files.clone(),
                modules: planned.len(),
            };
            self.line.memo.store(session, &remembered)?;
        }
        linked.install(session)?;
        self.remember(&planned.jobs, &planned.named_files);
        self.timer.phase("final_link");
        Ok(())
    }

    /// All objects are in the stores; lld's private cache has what it had.
    fn remember(&mut self, jobs: &[PlannedJob], named_files: &[std::path::PathBuf]) {
        self.history.set_modules(self.now, &|name| self.changes.has(name));
        self.history.set_imports(self.now, jobs.iter().map(PlannedJob::edges));
        self.history.named_files = named_files.to_vec();
        self.history.is_stored = true;
        self.history.spoke = false;
    }
}
