//! What ran for a link, as it is recorded: one line of JSON for the link and one for each action.
//!
//! They are in a file of the cache that the next link replaces, or at the end of a file that a setting names. A link that is
//! remembered whole leaves none, as nothing of it ran.

use crate::backends::jobs::Ended;
use crate::failure::{Failure, Result, io};
use crate::session::workspace::Workspace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use thindist_core::lld::link_line::LinkLine;
use thindist_exec::{Origin, Outcome, Times, WHAT_RAN};

/// Of the format below; a reader takes no other.
pub(crate) const SCHEMA: u32 = 1;

/// Settings that decide what is run.
pub(crate) const DECIDING: [&str; 3] = ["promoted_names", "backend_flags", "compile_commands"];

/// The link that actions are of.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub(crate) line: &'a LinkLine,
    pub(crate) lld: &'a Path,
    pub(crate) clang: &'a Path,
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    Link(Link),
    Action(Box<Action>),
}

/// A link; its actions follow.
#[derive(Debug, Serialize, Deserialize)]
pub struct Link {
    /// The version of the format in which the link was written.
    pub schema: u32,
    /// The output as the link line names it.
    pub output: String,
    /// The working directory of the link; empty if it could not be found.
    pub directory: PathBuf,
    /// The words of the link line.
    pub words: Vec<String>,
    /// The settings that decide what runs, by name, and the paths of lld and clang.
    pub settings: BTreeMap<String, String>,
    /// How lld was driven, and why so.
    #[serde(default)]
    pub way: String,
    /// The reason for that way; empty if no way was chosen.
    #[serde(default)]
    pub why: String,
}

/// How one module of the link came by its native object.
#[derive(Debug, Serialize, Deserialize)]
pub struct Action {
    /// lld's identifier of the module.
    pub module: String,
    /// The digest of the action, in hexadecimal.
    pub key: String,
    /// Where the native object came from, or why there is none.
    pub from: From,
    /// What it took; without times if the action gave no object.
    #[serde(flatten)]
    pub took: Took,
}

/// How the module came by its native object; stats have the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// This machine compiled it.
    Executed,
    /// The local action cache had it.
    LocalCache,
    /// A cache that others share had it.
    RemoteCache,
    /// An engine compiled it.
    RemoteExecuted,
    /// The backend failed, could not be run, or took too long.
    Failed,
    /// The link ended before the backend did.
    NotRun,
}

/// [`Times`] as they are written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Took {
    /// The engine's name for the machine that compiled.
    pub worker: Option<String>,
    /// Milliseconds from being ready to being begun.
    pub queue_ms: Option<u64>,
    /// Milliseconds that bringing the inputs to the compiler took.
    pub fetch_ms: Option<u64>,
    /// Milliseconds that the compiler ran.
    pub execute_ms: Option<u64>,
    /// Milliseconds that checking and keeping the object took.
    pub upload_ms: Option<u64>,
    /// Bytes that this machine sent.
    pub bytes_up: u64,
    /// Bytes that this machine received.
    pub bytes_down: u64,
}

impl Took {
    fn of(times: &Times) -> Self {
        let Times { worker, queue_ms, fetch_ms, execute_ms, upload_ms, bytes_up, bytes_down } = times.clone();
        Self { worker, queue_ms, fetch_ms, execute_ms, upload_ms, bytes_up, bytes_down }
    }
}

/// Remembers how the jobs of a link have ended. That it cannot be written is worth a warning, not a link.
pub(crate) fn record(link: Line<'_>, workspace: &Workspace, ended: &[Ended<'_>]) {
    let actions = ended.iter().map(|ended| Entry::Action(Box::new(action(ended))));
    let entries = std::iter::once(Entry::Link(head(link, workspace))).chain(actions);
    let written = text(entries).and_then(|text| match workspace.settings.get("what_ran") {
        Some(file) => append(Path::new(file), &text),
        None => replace(workspace, &text),
    });
    if let Err(failure) = written {
        failure.warn(workspace.report());
    }
}

fn head(link: Line<'_>, workspace: &Workspace) -> Link {
    let settings = &workspace.settings;
    let chosen = workspace.chosen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let (way, why) = chosen.map(|(way, why)| (way.name().to_owned(), why)).unwrap_or_default();
    let deciding = DECIDING.iter().filter_map(|name| Some(((*name).to_owned(), settings.get(name)?.to_owned())));
    let tools = [("lld", link.lld), ("clang", link.clang)];
    let tools = tools.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()));
    Link {
        schema: SCHEMA,
        output: link.line.output().to_owned(),
        directory: std::env::current_dir().unwrap_or_default(),
        words: link.line.words().map(str::to_owned).collect(),
        settings: deciding.chain(tools).collect(),
        way,
        why,
    }
}

fn action(Ended { planned, outcome }: &Ended<'_>) -> Action {
    let job = &planned.job;
    let took = match outcome {
        Outcome::Success(native) => Took::of(&native.times),
        _ => Took::default(),
    };
    Action { module: job.name.clone(), key: job.action.key().hex(), from: From::of(outcome), took }
}

impl From {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Success(native) => match native.from {
                Origin::Executed => Self::Executed,
                Origin::LocalCache => Self::LocalCache,
                Origin::RemoteCache => Self::RemoteCache,
                Origin::RemoteExecuted => Self::RemoteExecuted,
            },
            Outcome::CompileFailed { .. } | Outcome::InfraFailed { .. } => Self::Failed,
            Outcome::Cancelled => Self::NotRun,
        }
    }
}

fn text(entries: impl Iterator<Item = Entry>) -> Result<String> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(&entry).map_err(Failure::of)?);
        text.push('\n');
    }
    Ok(text)
}

/// Written in the link's own directory, so that one which is ended leaves nothing beside it.
fn replace(workspace: &Workspace, text: &str) -> Result<()> {
    let (new, path) = (workspace.path("what-ran"), workspace.cache_dir().join(WHAT_RAN));
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path));
    written.map_err(|error| io("write", &path, &error))
}

/// In one write, so that links side by side do not mix their lines.
fn append(path: &Path, text: &str) -> Result<()> {
    let open = OpenOptions::new().append(true).create(true).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| io("write", path, &error))
}

/// A link as it was read back.
#[derive(Debug)]
pub struct Ran {
    /// The link itself.
    pub link: Link,
    /// Its actions, in the order in which they were written.
    pub actions: Vec<Action>,
}

/// The last link that a file tells of.
pub fn read(path: &Path) -> Result<Ran> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        io("read", path, &error).hint("link something first: a link that is remembered whole leaves nothing there")
    })?;
    let bad = |what: &str| {
        Failure::new(format_args!("{}: {what}", path.display())).hint("a file that THINDIST_WHAT_RAN named is expected")
    };
    let mut last = None;
    for line in text.lines() {
        match serde_json::from_str(line).map_err(|error| bad(&error.to_string()))? {
            Entry::Link(link) if link.schema != SCHEMA => return Err(bad("it is of another version of thindist")),
            Entry::Link(link) => last = Some(Ran { link, actions: Vec::new() }),
            Entry::Action(action) => last.as_mut().ok_or_else(|| bad("it has no link"))?.actions.push(*action),
        }
    }
    last.ok_or_else(|| bad("it has no link"))
}
