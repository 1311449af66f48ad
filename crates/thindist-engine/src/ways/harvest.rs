//! After an in-process link: puts lld's native objects into the stores, under the keys of the plan.
//!
//! An object taken for another module's would be the worst fault there is. So lld tells which file of its cache is which
//! module's (see [`thindist_core::lld::cache_markers`]), the order and the name of each have to be those of the plan, and some
//! are made by a backend as well. Anything else, and nothing is taken.

use super::history::{Now, Said};
use crate::backends::execution::{self, Place};
use crate::backends::jobs::{Ended, Made, PlannedJob};
use crate::backends::{explained, what_ran};
use crate::failure::{Failure, Result, io};
use crate::parallel;
use crate::plan::planning::Planned;
use crate::session::lld_run::{self, Run};
use crate::session::lto_object::lto_object_path;
use crate::session::workspace::{Session, Workspace};
use crate::thin::thin_link::ThinLink;
use object::{Object as _, ObjectSymbol as _};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use thindist_core::digest::Digest;
use thindist_core::lld::cache_markers::{self, CACHE_FILE_PREFIX};
use thindist_exec::{FileStamp, Job, LldCache, NativeObject, Origin, Outcome, Source, Times, object_check, results};

/// One backend runs for so many harvested objects, to be compared with one of them.
const CHECKED_ONE_IN: usize = 500;

/// What lld says after LTO of the link and not of a module.
const OF_THE_LINK: &[&str] = &["warning: cannot find entry symbol "];

pub(crate) fn is_of_the_link(line: &str) -> bool {
    OF_THE_LINK.iter().any(|known| line.contains(known))
}

/// What has been taken.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    /// Warnings of backends, by the names of their modules.
    pub(crate) said: BTreeMap<String, Said>,
    /// lld has said something of which it is not known what it is of.
    pub(crate) has_unknown_lines: bool,
    /// Why nothing was taken, if nothing was.
    pub(crate) nothing: Option<String>,
}

impl Harvest {
    /// What lld said, if anything, is of nobody.
    pub(crate) fn nothing(why: &str) -> Self {
        Self { has_unknown_lines: true, nothing: Some(why.to_owned()), ..Self::default() }
    }
}

/// One module's object in lld's cache.
struct Harvested<'a> {
    planned: &'a PlannedJob,
    key: String,
    file: PathBuf,
}

/// The same, found to be what the module's can be.
struct Taken<'a> {
    one: &'a Harvested<'a>,
    digest: Digest,
}

/// What lld has compiled.
#[derive(Clone, Copy)]
pub(crate) struct Compiled<'a> {
    pub(crate) thin: &'a ThinLink,
    pub(crate) planned: &'a Planned,
    /// What it said.
    pub(crate) run: &'a Run,
}

pub(crate) fn run(
    session: &Session,
    now: &Now,
    cache: &mut LldCache,
    known: &BTreeMap<String, Said>,
    compiled: Compiled<'_>,
) -> Result<Harvest> {
    let Compiled { thin, planned, run } = compiled;
    let lines = |said: &[String]| {
        let mut lines = lld_run::lines(&run.stderr);
        lines.retain(|line| !said.contains(line) && !thin.diagnostics.contains(line) && !is_of_the_link(line));
        lines
    };
    let nothing = |why: String, lines: Vec<String>| {
        Ok(Harvest { has_unknown_lines: !lines.is_empty(), nothing: Some(why), ..Harvest::default() })
    };
    let asked = Asked::of(session, now, cache)?;
    let lines = lines(&asked.said);
    let keys = match asked.keys_of(session, planned) {
        Ok(keys) => keys,
        Err(why) => return nothing(why, lines),
    };
    let of_cache = keys.into_iter().map(|(planned, key)| Harvested { planned, file: cache.file(&key), key });
    let harvested: Vec<Harvested<'_>> = of_cache.collect();
    if let Some(one) = harvested.iter().find(|one| !is_unchanged(&one.planned.job)) {
        return nothing(format!("an input of {} has changed during the link", one.planned.job.name), lines);
    }
    let Some(said) = attribute(now, &harvested, lines)? else {
        return Ok(Harvest::nothing("lld's warnings name no known module"));
    };
    let taken = parallel::map(&harvested.iter().collect::<Vec<_>>(), |one| take(one))?;
    taken.iter().for_each(|taken| cache.know(&taken.one.key, taken.digest));
    check_some(session, planned, &taken)?;
    // What lld's cache has answered lld has not said again.
    let before = |name: &str, key: &str| known.get(name).filter(|said| said.key == key);
    let stderr = |one: &Harvested<'_>| {
        let name = now.name(&one.planned.job.name);
        said.get(&name).or_else(|| before(&name, &one.key)).map(as_compiler_says).unwrap_or_default()
    };
    let made = parallel::map(&taken, |taken| store(session, taken, stderr(taken.one)))?;
    let batch = planned.batch(session);
    execution::upload(&batch, &made);
    if let Some(line) = batch.line {
        let ended =
            made.into_iter().map(|made| Ended { planned: made.planned, outcome: Outcome::Success(made.native) });
        let ended: Vec<Ended<'_>> = ended.collect();
        what_ran::record(line, &session.workspace, &ended);
        explained::record::record(line, &session.workspace, &ended);
    }
    Ok(Harvest { said, ..Harvest::default() })
}

/// lld's answer to the markers.
struct Asked {
    /// The name of each LTO object, in lld's order, and the key of its file.
    told: Vec<(String, String)>,
    /// What it said on stderr, which is not of a backend: none ran.
    said: Vec<String>,
    output: String,
}

impl Asked {
    fn of(session: &Session, now: &Now, cache: &LldCache) -> Result<Self> {
        match Self::ask(session, now, cache) {
            // Memory may have been too small for the markers.
            Err(_) if session.workspace.leave_memory() => Self::ask(session, now, cache),
            asked => asked,
        }
    }

    fn ask(session: &Session, now: &Now, cache: &LldCache) -> Result<Self> {
        let keys = cache.keys()?;
        let scratch = |name| session.workspace.make_scratch(name, || now.bytes());
        let directory = scratch("markers")?;
        let output = scratch("asked")?.join(Path::new(session.line.output()).file_name().unwrap_or_default());
        let output = output.to_string_lossy().into_owned();
        let like = keys.first().map(|key| read(&cache.file(key))).transpose()?.unwrap_or_default();
        for (number, key) in (0_u32..).zip(&keys) {
            let marker = cache_markers::marker(&like, key, number)
                .ok_or_else(|| Failure::new(format_args!("{}: lld's object is not ELF", cache.file(key).display())))?;
            let path = directory.join(format!("{CACHE_FILE_PREFIX}{key}"));
            std::fs::write(&path, marker).map_err(|error| io("write", &path, &error))?;
        }
        let words = cache_markers::question(&session.line, &directory.to_string_lossy(), &keys, &output);
        let run = lld_run::lld(session, "asked.rsp", &words)?;
        let stdout = String::from_utf8_lossy(&run.stdout);
        let told = cache_markers::told(&stdout).into_iter().map(|(name, key)| (name.to_owned(), key.to_owned()));
        Ok(Self { told: told.collect(), said: lld_run::lines(&run.stderr), output })
    }

    /// Each job of the plan with the key of its object, if lld's answer is the plan's list to the last name.
    fn keys_of<'a>(
        &self,
        session: &Session,
        planned: &'a Planned,
    ) -> std::result::Result<Vec<(&'a PlannedJob, String)>, String> {
        if self.told.len() != planned.len() {
            return Err(format!("lld reported {} objects, and {} were planned", self.told.len(), planned.len()));
        }
        let key = |(planned, (told, key)): (&'a PlannedJob, &(String, String))| {
            // Of the order alone nothing is taken.
            let name = &planned.job.name;
            if lto_object_path(&self.output, name) == *told {
                return Ok((planned, key.clone()));
            }
            Err(format!("{name} was planned where {} reports {told}", session.lld.path.display()))
        };
        planned.jobs.iter().zip(&self.told).map(key).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| io("read", path, &error))
}

/// lld has read what the plan was made of.
fn is_unchanged(job: &Job) -> bool {
    job.sources().all(|source| match source {
        Source::File { path, stamp: Some(stamp) } => FileStamp::of(path).is_ok_and(|now| now == *stamp),
        Source::File { .. } | Source::Bytes(_) => true,
    })
}

/// The module that each of `lines` is of: the only one that defines the function which it names. `None`: not all can be told.
fn attribute(now: &Now, harvested: &[Harvested<'_>], lines: Vec<String>) -> Result<Option<BTreeMap<String, Said>>> {
    let mut said: BTreeMap<String, Said> = BTreeMap::new();
    if lines.is_empty() {
        return Ok(Some(said));
    }
    let functions: BTreeSet<&str> = lines.iter().filter_map(|line| function_in(line)).collect();
    let defined = parallel::map(harvested, |one| defined_in(&one.file, &functions))?;
    for line in &lines {
        let Some(function) = function_in(line) else { return Ok(None) };
        let mut of = harvested.iter().zip(&defined).filter(|(_, defined)| defined.contains(function));
        let (Some((one, _)), None) = (of.next(), of.next()) else { return Ok(None) };
        let new = || Said { key: one.key.clone(), lines: Vec::new() };
        said.entry(now.name(&one.planned.job.name)).or_insert_with(new).lines.push(line.clone());
    }
    Ok(Some(said))
}

fn function_in(line: &str) -> Option<&str> {
    line.rsplit_once("in function '")?.1.strip_suffix('\'')
}

/// Those of `functions` that an object defines.
fn defined_in(path: &Path, functions: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
    let bytes = read(path)?;
    let file = object::File::parse(bytes.as_slice())
        .map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))?;
    let names = file
        .symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    Ok(names.filter(|name| functions.contains(name.as_str())).collect())
}

/// An object that can be the module's.
fn take<'a>(one: &'a Harvested<'a>) -> Result<Taken<'a>> {
    let bytes = read(&one.file)?;
    let job = &one.planned.job;
    object_check::check(&bytes, job.action.elf_machine)
        .map_err(|what| Failure::new(format_args!("lld's object of {} is {what}", job.name)))?;
    Ok(Taken { one, digest: Digest::of(&bytes) })
}

fn store<'a>(session: &Session, taken: &Taken<'a>, stderr: Vec<u8>) -> Result<Made<'a>> {
    let Taken { one, digest } = taken;
    let native = native(*digest, stderr);
    session.workspace.cas.share_file(&one.file, &native.digest)?;
    let Workspace { cas, action_cache, .. } = &session.workspace;
    results::keep(cas, action_cache, &one.planned.job.action, &native)?;
    Ok(Made { planned: one.planned, native })
}

/// Makes a share of the objects by backends. One that differs means that no object of this link has the key that it should.
fn check_some(session: &Session, planned: &Planned, taken: &[Taken<'_>]) -> Result<()> {
    let choose = |number: usize| {
        let number = random(number, taken.len());
        taken.get(number).ok_or_else(|| Failure::internal(format_args!("no object {number} of {}", taken.len())))
    };
    let chosen = (0..taken.len() / CHECKED_ONE_IN).map(choose).collect::<Result<Vec<_>>>()?;
    let jobs: Vec<Job> = chosen.iter().map(|taken| taken.one.planned.job.clone()).collect();
    let outcomes = execution::execute(&planned.batch(session), &jobs, Place::Here)?;
    for (taken, outcome) in chosen.into_iter().zip(outcomes) {
        let job = &taken.one.planned.job;
        let same = matches!(&outcome, Outcome::Success(native) if taken.digest == native.digest);
        if !same {
            results::forget(&session.workspace.action_cache, &job.action)?;
            return Err(Failure::new(format_args!(
                "the object that lld has made of {} is not one that {} makes by the plan; nothing of this link is stored",
                job.name,
                session.clang.path.display()
            )));
        }
    }
    Ok(())
}

/// Below `end`; another one in each link.
fn random(number: usize, end: usize) -> usize {
    let hash = RandomState::new().hash_one(number);
    usize::try_from(hash % end.max(1) as u64).unwrap_or(0)
}

/// lld's lines without its name, which is how a compiler's warnings are kept.
fn as_compiler_says(said: &Said) -> Vec<u8> {
    let text = |line: &String| line.split_once(": ").map_or(line.as_str(), |(_, text)| text).to_owned();
    said.lines.iter().flat_map(|line| [text(line), "\n".to_owned()]).collect::<String>().into_bytes()
}

fn native(digest: Digest, stderr: Vec<u8>) -> NativeObject {
    NativeObject {
        digest,
        side: Box::default(),
        stderr,
        from: Origin::Executed,
        estimate: None,
        times: Box::new(Times::default()),
    }
}
