//! The in-process way: lld does the whole link as it was called, with a private cache.
//!
//! Beside it runs what a harvest needs: an index-only thin link and the plan, half a second of one core. If the plan shows that
//! the stores have most of the objects already, lld is ended before it has written anything, and they are linked instead.

use super::ahead::is_stored;
use super::filling::{self, Filling, Kept};
use super::history::{self, Changes, History, Now};
use super::private_cache;
use crate::failure::{Failure, Result, io};
use crate::finish::final_link::read_dependencies;
use crate::inputs::survey::Survey;
use crate::inputs::words::ForLld;
use crate::memo::Remembered;
use crate::pipeline::plan_beside;
use crate::plan::extra_inputs::NamedFiles;
use crate::plan::planning::{self, Planned};
use crate::session::lld_run::{self, Run};
use crate::session::workspace::{InputDigests, Session};
use crate::stop::Stop;
use crate::thin::thin_link::ThinLink;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use thindist_core::lld::link_line::response_file;
use thindist_exec::{CancelToken, FileStamp, Permit};

/// Of a warm link no more than a share of the work is lld's: its new objects stay in its cache.
const MOSTLY_COLD: usize = 4;

/// One link of this way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) session: &'a Session,
    pub(crate) survey: &'a Survey,
    pub(crate) inputs: &'a InputDigests,
    pub(crate) words: &'a ForLld,
    pub(crate) now: &'a Now,
    /// Since the last link.
    pub(crate) changes: &'a Changes,
    /// Backends of it can be separate.
    pub(crate) is_carried: bool,
    /// Objects that are stored already may be linked by a separate way instead.
    pub(crate) may_divert: bool,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With lld's output.
    Linked(Box<Linked>),
    /// The stores have the objects.
    Diverted(Box<(ThinLink, Planned)>),
    /// Something killed lld.
    Killed(Failure),
}

/// A link that lld has done.
#[derive(Debug)]
pub(crate) struct Linked {
    /// `None`: what it is made of is not known well enough to remember it whole.
    pub(crate) remembered: Option<Remembered>,
    pub(crate) modules: usize,
    /// Backends that lld has run.
    pub(crate) executed: usize,
    /// There was a plan, and its objects are in the stores.
    pub(crate) is_harvested: bool,
    /// Why nothing was harvested although there was a plan.
    pub(crate) unharvested: Option<String>,
}

/// What is found out while lld runs.
struct Beside {
    /// Files that assembly names; `None`: they cannot be told.
    named_files: Option<Vec<PathBuf>>,
    plan: Option<(ThinLink, Planned)>,
    /// Why there is no plan although there should be one.
    why_none: Option<String>,
}

/// Links. `Stop::Failed` has lld's own words behind it.
pub(crate) fn run(link: &Link<'_>, history: &mut History) -> std::result::Result<Ended, Stop> {
    let session = link.session;
    let mut looked = looks_first(link, history).then(|| look(link));
    if let Some(beside) = &mut looked
        && let Some(plan) = beside.plan.take_if(|(_, planned)| is_stored(session, planned))
    {
        return Ok(Ended::Diverted(Box::new(plan)));
    }
    let filling = Filling::open(session, link.inputs, history, link.now, link.changes);
    let entries = filling.as_ref().map_or(0, Filling::entries);
    let dependencies = session.workspace.text_path("in-process.d")?;
    let output = PathBuf::from(session.line.output());
    let stamp = FileStamp::of(&output).ok();
    let temporaries = Temporaries::beside(&output);
    let permits = filling::permits(session)?;
    let invocation = invocation(link, extra_words(link, filling.as_ref(), &permits, &dependencies))?;
    let token = session.workspace.interrupt.token().dependent();
    let is_known = looked.is_some();
    let look = || looked.unwrap_or_else(|| look_beside(link, history, entries));
    let (run, beside) = run_beside(link, invocation, &token, is_known, look)?;
    if !run.success() && filling.is_some() && lld_run::says_full(&run.stderr) {
        session.workspace.report().warning("lld's private cache is on a full file system; linking without one");
        return without_cache(link, history, &permits, Some(&run));
    }
    let has_ended = run.has_exited() && !token.is_cancelled();
    if has_ended && filling.as_ref().is_some_and(|filling| filling.is_shown_in(&run)) {
        tracing::debug!("lld shows files of its private cache; linking without one");
        history.shows_cache = true;
        return without_cache(link, history, &permits, None);
    }
    drop(permits);
    if !run.success() {
        let failed = Failed { link, run: &run, is_given_up: token.is_cancelled(), temporaries };
        return failed.conclude(history, filling, beside);
    }
    run.pass_on(session)?;
    let before = Before { output, stamp, dependencies };
    Ok(Ended::Linked(Box::new(linked(link, history, filling, beside, (&run, before)))))
}

/// What was there before lld ran, and where it lists what it reads.
struct Before {
    output: PathBuf,
    stamp: Option<FileStamp>,
    dependencies: String,
}

/// Runs lld, and finds out beside it what there is to be found out. `is_known`: that was done before.
fn run_beside(
    link: &Link<'_>,
    invocation: Vec<OsString>,
    token: &CancelToken,
    is_known: bool,
    look: impl FnOnce() -> Beside,
) -> Result<(Run, Beside)> {
    let session = link.session;
    let ended = AtomicBool::new(false);
    let (run, beside) = std::thread::scope(|scope| {
        let lld = scope.spawn(|| {
            let run = lld_run::start(session, invocation, token);
            ended.store(true, Ordering::Release);
            run
        });
        let beside = look();
        if link.may_divert
            && !is_known
            && beside.plan.as_ref().is_some_and(|(_, plan)| is_stored(session, plan))
            && !ended.load(Ordering::Acquire)
        {
            token.cancel();
        }
        (lld.join(), beside)
    });
    let run = run.unwrap_or_else(|_| Err(Failure::internal("the thread that runs lld has panicked")))?;
    Ok((run, beside))
}

/// What is kept of a link that lld has done: nothing that goes wrong here is the link's.
fn linked(
    link: &Link<'_>,
    history: &mut History,
    filling: Option<Filling<'_>>,
    beside: Beside,
    (run, before): (&Run, Before),
) -> Linked {
    let session = link.session;
    let mut ended = Linked::of(link.now);
    // What lld said when it compiled a module its cache does not repeat.
    let mut diagnostics = lld_run::lines(&run.stderr);
    let repeated = history.said_before(&diagnostics);
    lld_run::print(session.workspace.report(), &repeated);
    diagnostics.extend(repeated);
    ended.unharvested = beside.why_none;
    let kept = match filling {
        Some(filling) => {
            let plan = beside.plan.as_ref().map(|(thin, planned)| (thin, planned));
            ended.keep(filling.keep(history, plan, beside.named_files.as_deref(), run), plan.is_some())
        }
        None => {
            // What made lld show its cache may have gone.
            history.shows_cache &= !(run.stdout.is_empty() && run.stderr.is_empty());
            ended.has_compiled_all(link.now, history);
            Ok(())
        }
    };
    let named_files = kept.map(|()| beside.named_files).unwrap_or_else(|failure| {
        failure.warn(session.workspace.report());
        *history = History::default();
        None
    });
    let Before { output, stamp, dependencies } = before;
    let read = if writes_its_own(session) { Ok(Vec::new()) } else { read_dependencies(session, &dependencies) };
    let is_new = FileStamp::of(&output).ok().filter(|new| Some(*new) != stamp).is_some();
    if let (true, Some(named_files), Ok(read)) = (is_new, named_files, read) {
        ended.remembered = Some(Remembered { output, diagnostics, read, named_files, modules: ended.modules });
    }
    ended
}

/// Once more without a private cache, which is in the way: there is no room for it (`full` is what lld said of that), or it
/// would be seen.
fn without_cache(
    link: &Link<'_>,
    history: &mut History,
    permits: &[Permit],
    full: Option<&Run>,
) -> std::result::Result<Ended, Stop> {
    let session = link.session;
    let arguments = match (invocation(link, vec![filling::threads(permits)]), full) {
        (Ok(arguments), _) => arguments,
        // There is no place for a response file either.
        (Err(_), Some(full)) => {
            full.pass_on(session)?;
            return Err(full.failure(&session.lld.path).into());
        }
        (Err(failure), None) => return Err(failure.into()),
    };
    let run = lld_run::start(session, arguments, session.workspace.interrupt.token())?;
    run.pass_on(session)?;
    if !run.success() {
        return Err(run.failure(&session.lld.path).into());
    }
    let mut ended = Linked::of(link.now);
    ended.has_compiled_all(link.now, history);
    Ok(Ended::Linked(Box::new(ended)))
}

/// lld's arguments: the user's, and behind them `words`.
fn invocation(link: &Link<'_>, words: Vec<String>) -> Result<Vec<OsString>> {
    match link.words {
        ForLld::AsGiven(given) => Ok(given.iter().cloned().chain(words.into_iter().map(OsString::from)).collect()),
        ForLld::Expanded(expanded) => {
            let path = link.session.workspace.text_path("in-process.rsp")?;
            let text = response_file::join(&[expanded.clone(), words].concat());
            std::fs::write(&path, text).map_err(|error| io("write", &path, &error))?;
            Ok(vec![format!("@{path}").into()])
        }
    }
}

impl Linked {
    fn of(now: &Now) -> Self {
        Self { remembered: None, modules: now.len(), executed: 0, is_harvested: false, unharvested: None }
    }

    /// lld had no private cache: it has nothing for the next link.
    fn has_compiled_all(&mut self, now: &Now, history: &mut History) {
        self.executed = self.modules;
        history.set_modules(now, &|_| true);
    }

    /// Takes over what was kept, of a link that was planned or was not.
    fn keep(&mut self, kept: Result<Kept>, is_planned: bool) -> Result<()> {
        let Kept { modules, executed, unharvested } = kept?;
        (self.modules, self.executed) = (modules, executed);
        self.is_harvested = is_planned && unharvested.is_none();
        self.unharvested = unharvested.or(self.unharvested.take());
        Ok(())
    }
}

fn extra_words(link: &Link<'_>, filling: Option<&Filling<'_>>, permits: &[Permit], dependencies: &str) -> Vec<String> {
    let mut words = vec![filling::threads(permits)];
    if !writes_its_own(link.session) {
        words.push(format!("--dependency-file={dependencies}"));
    }
    words.extend(filling.into_iter().flat_map(Filling::words));
    words
}

/// The user has lld list what it reads; such a link is not remembered whole.
fn writes_its_own(session: &Session) -> bool {
    session.line.dependency_files().next().is_some()
}

/// What there is to be found out of the line while lld links it. Whatever goes wrong here is no matter of the link's.
fn look_beside(link: &Link<'_>, history: &History, entries: usize) -> Beside {
    let changes = link.changes;
    let compiled = changes.changed.len() + changes.repeated.len();
    if entries > 0 && compiled * MOSTLY_COLD < link.now.len() {
        let named = named_by(link, |module| changes.changed.contains(module));
        let all = named.map(|named| history.named_files.iter().cloned().chain(named).collect::<BTreeSet<_>>());
        return Beside { named_files: all.map(|all| all.into_iter().collect()), plan: None, why_none: None };
    }
    if link.is_carried && !link.now.is_of_many_small() {
        return look(link);
    }
    Beside { named_files: named_by(link, |_| true), plan: None, why_none: None }
}

/// lld would have linked a few modules before it is known that their objects are stored, so that is found out before.
fn looks_first(link: &Link<'_>, history: &History) -> bool {
    let Link { session, now, .. } = link;
    let may_be_stored = !session.workspace.action_cache.is_empty() || session.workspace.remote.is_named();
    link.is_carried && link.may_divert && may_be_stored && history.is_new() && now.len() <= history::FEW
}

/// The plan, or as much of it as there can be.
fn look(link: &Link<'_>) -> Beside {
    match plan_beside(link.session, link.survey, link.inputs) {
        Ok((thin, planned)) => {
            Beside { named_files: Some(planned.named_files.clone()), plan: Some((thin, planned)), why_none: None }
        }
        Err(stop) => {
            let why = stop.into_failure(None).to_string();
            Beside { named_files: named_by(link, |_| true), plan: None, why_none: Some(why) }
        }
    }
}

/// The files that assembly in some modules names, without a plan; `None`: that cannot be told.
fn named_by(link: &Link<'_>, wanted: impl Fn(&String) -> bool) -> Option<Vec<PathBuf>> {
    let session = link.session;
    let mut named = NamedFiles::default();
    for (identifier, (_, place)) in link.survey.bitcode() {
        if wanted(&link.now.name(identifier)) {
            let facts = planning::read_facts(&session.lld, identifier, &place.read().ok()?).ok()?;
            named.resolve(&session.workspace.state, identifier, &facts.asm_inputs).ok()?;
        }
    }
    Some(named.paths().chain(private_cache::option_files(&session.line)).collect())
}

/// lld has not linked.
struct Failed<'a> {
    link: &'a Link<'a>,
    run: &'a Run,
    /// It was ended by us.
    is_given_up: bool,
    temporaries: Temporaries,
}

impl Failed<'_> {
    fn conclude(
        self,
        history: &History,
        filling: Option<Filling<'_>>,
        beside: Beside,
    ) -> std::result::Result<Ended, Stop> {
        let Self { link, run, is_given_up, temporaries } = self;
        let session = link.session;
        let was_interrupted = session.workspace.interrupt.token().is_cancelled();
        if let Some(filling) = filling {
            filling.abandon(history, (was_interrupted || is_given_up) && run.stderr.is_empty())?;
        }
        if was_interrupted {
            return Err(Failure::new("interrupted").into());
        }
        if let (true, Some(plan)) = (is_given_up, beside.plan) {
            temporaries.remove_new();
            return Ok(Ended::Diverted(Box::new(plan)));
        }
        if run.was_killed() && link.may_divert {
            return Ok(Ended::Killed(run.failure(&session.lld.path)));
        }
        run.pass_on(session)?;
        Err(run.failure(&session.lld.path).into())
    }
}

/// lld's temporary files beside its output: `NAME.tmp` and seven hexadecimal digits. It removes its own when a signal ends it,
/// unless that comes in the moment in which it makes one.
struct Temporaries {
    prefix: PathBuf,
    before: BTreeSet<PathBuf>,
}

impl Temporaries {
    fn beside(output: &Path) -> Self {
        let mut prefix = output.as_os_str().to_owned();
        prefix.push(".tmp");
        let mut this = Self { prefix: PathBuf::from(prefix), before: BTreeSet::new() };
        this.before = this.now();
        this
    }

    fn now(&self) -> BTreeSet<PathBuf> {
        let directory = self.prefix.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let start = self.prefix.file_name().unwrap_or_default().as_encoded_bytes();
        let is_one = |name: &std::ffi::OsStr| {
            let random = name.as_encoded_bytes().strip_prefix(start);
            random.is_some_and(|random| random.len() == 7 && random.iter().all(u8::is_ascii_hexdigit))
        };
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter(|entry| is_one(&entry.file_name())).map(|entry| entry.path()).collect()
    }

    fn remove_new(&self) {
        for path in self.now().difference(&self.before) {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}
