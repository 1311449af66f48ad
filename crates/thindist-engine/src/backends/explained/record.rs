//! What a link leaves for `explain`, in the cache's state: one entry for the link, under its output; and for each of its modules the
//! action that it had last, with the one before that.
//!
//! An action's entry is written only when the action is another one, so a link that finds all its objects writes one entry of a line a
//! module. Each takes the place of that of the link before: what there is grows with outputs and modules, not with links, and the
//! state's own bound is above that.

use super::manifest::Manifest;
use super::stable;
use crate::backends::jobs::{Ended, PlannedJob};
use crate::backends::what_ran::{From, Line};
use crate::failure::{Failure, Result};
use crate::session::workspace::Workspace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use thindist_core::digest::Digest;
use thindist_core::index::promoted_names::PromotedNames;
use thindist_exec::State;

/// Names and versions what entries mean.
const LINK: &str = "explained-link-1";
const ACTION: &str = "explained-action-1";
/// Under which the output of the last link is.
const LAST: &[u8] = b"the last link";

/// One link.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explained {
    /// The output as the link line names it.
    pub output: String,
    /// The working directory of the link.
    pub directory: PathBuf,
    /// How lld was driven; empty if no way was chosen.
    pub way: String,
    /// Why that way was chosen; empty as well if none was.
    pub why: String,
    /// Its actions, in lld's order; none, if lld has compiled and the link was not planned.
    pub actions: Vec<Ran>,
    /// What lld has compiled then.
    pub by_lld: Option<ByLld>,
}

/// How one action ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ran {
    /// lld's identifier of the module.
    pub module: String,
    /// The digest of the action, in hexadecimal.
    pub key: String,
    /// How the module came by its native object.
    pub from: From,
    /// It is the action that the module had in the link before.
    pub is_same: bool,
}

/// A link in-process that had no plan: what is known of its modules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByLld {
    /// How many modules the link has.
    pub modules: usize,
    /// How many of them lld compiled.
    pub ran: usize,
    /// No earlier link of the output was known.
    pub is_first: bool,
    /// Modules with another content than in the link before.
    pub changed: Vec<String>,
    /// Those that import from them, each with what it imports from.
    pub repeated: Vec<(String, Vec<String>)>,
}

/// What is kept of an action.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The action of the last link.
    pub now: Manifest,
    /// The action before that; `None` if there was none or it cannot be read.
    pub before: Option<Manifest>,
}

impl Explained {
    /// The identifiers of the link's modules, in lld's order.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|ran| ran.module.as_str())
    }

    /// The action of the module, or with the key, that `what` is or begins.
    pub fn action(&self, what: &str) -> Result<Option<&Ran>> {
        let named = self.actions.iter().find(|ran| ran.module == what || without_offset(&ran.module) == what);
        let mut keyed = self.actions.iter().filter(|ran| ran.key.starts_with(what));
        match (named, keyed.next(), keyed.next()) {
            (Some(ran), ..) | (None, Some(ran), None) => Ok(Some(ran)),
            (None, None, _) => Ok(None),
            (None, Some(first), Some(_))
                if self.actions.iter().all(|ran| !ran.key.starts_with(what) || ran.key == first.key) =>
            {
                Ok(Some(first))
            }
            _ => Err(Failure::new(format_args!("several actions have a key that begins with {what}"))
                .hint("give more of it")),
        }
    }
}

/// The entries of a cache.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// The state of the cache, which holds the entries.
    pub state: &'a State,
}

impl Records<'_> {
    /// The last link of any output; `None` if its entry is gone or cannot be read.
    pub fn last(&self) -> Option<Explained> {
        let output = self.state.facts(LINK, &Digest::of(LAST))?;
        self.of_output(Path::new(std::str::from_utf8(&output).ok()?))
    }

    /// The last link of the output at this absolute path; `None` if no entry of it can be read.
    pub fn of_output(&self, output: &Path) -> Option<Explained> {
        serde_json::from_slice(&self.state.facts(LINK, &link_key(output))?).ok()
    }

    /// What is known of one of the link's actions; nothing, if a later link has taken its place.
    pub fn action(&self, link: &Explained, ran: &Ran) -> Option<Kept> {
        let output = link.directory.join(&link.output);
        let keys = action_keys(&output, link.modules());
        // Its place, as members may have one name.
        let position = link.actions.iter().position(|one| std::ptr::eq(one, ran))?;
        let kept = read(&self.state.facts(ACTION, keys.get(position)?)?)?;
        (kept.now.key == ran.key).then_some(kept)
    }

    fn remember(&self, output: &Path, link: &Explained) -> Result<()> {
        let bytes = serde_json::to_vec(link).map_err(Failure::of)?;
        let last = output.to_string_lossy().into_owned().into_bytes();
        self.state.remember_facts(LINK, &[(link_key(output), bytes), (Digest::of(LAST), last)]);
        Ok(())
    }
}

/// A linked output is its path.
fn link_key(output: &Path) -> Digest {
    Digest::of(output.as_os_str().as_encoded_bytes())
}

/// The entries of a link's modules. Members of one name in one archive are told apart by their order.
fn action_keys<'a>(output: &Path, modules: impl Iterator<Item = &'a str>) -> Vec<Digest> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let key = |module: &str| {
        let name = without_offset(module);
        let copy = seen.entry(name.clone()).or_default();
        *copy += 1;
        Digest::of(format!("{}\0{name}\0{copy}", output.display()).as_bytes())
    };
    modules.map(key).collect()
}

/// An identifier without what moves when another member grows: `archive(member at offset)`.
pub fn without_offset(module: &str) -> String {
    let member = module.strip_suffix(')').and_then(|rest| rest.rsplit_once(" at "));
    match member {
        Some((member, offset)) if offset.bytes().all(|byte| byte.is_ascii_digit()) => format!("{member})"),
        _ => module.to_owned(),
    }
}

/// Remembers the actions of a link and how they ended. That it cannot be done is no matter of the link's.
pub(crate) fn record(line: Line<'_>, workspace: &Workspace, ended: &[Ended<'_>]) {
    let _span = tracing::debug_span!("explained").entered();
    let Some(output) = output_of(line.line.output(), workspace) else { return };
    if let Err(failure) = remember(&output, line, workspace, ended) {
        tracing::debug!(%failure, "nothing is left for `explain`");
    }
}

/// Remembers a link that lld has done without a plan.
pub(crate) fn by_lld(output: &str, workspace: &Workspace, by_lld: ByLld) {
    let Some(path) = output_of(output, workspace) else { return };
    let link = Explained { by_lld: Some(by_lld), ..head(output, workspace, Vec::new()) };
    if let Err(failure) = (Records { state: &workspace.state }).remember(&path, &link) {
        tracing::debug!(%failure, "nothing is left for `explain`");
    }
}

/// Where the output is; `None` of a link for `verify` and the like, whose output goes with it.
fn output_of(output: &str, workspace: &Workspace) -> Option<PathBuf> {
    std::path::absolute(output).ok().filter(|path| !path.starts_with(workspace.path("")))
}

fn head(output: &str, workspace: &Workspace, actions: Vec<Ran>) -> Explained {
    let chosen = workspace.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (way, why) = chosen.map(|(way, why)| (way.name().to_owned(), why)).unwrap_or_default();
    let directory = std::env::current_dir().unwrap_or_default();
    Explained { output: output.to_owned(), directory, way, why, actions, by_lld: None }
}

/// An action that a module did not have in the link before.
struct Changed<'a> {
    planned: &'a PlannedJob,
    /// Names of its imports, by rank.
    names: Vec<String>,
    /// Its entry, and what that has.
    entry: Digest,
    before: Option<Vec<u8>>,
}

fn remember(output: &Path, line: Line<'_>, workspace: &Workspace, ended: &[Ended<'_>]) -> Result<()> {
    let records = Records { state: &workspace.state };
    let keys = action_keys(output, ended.iter().map(|ended| ended.planned.job.name.as_str()));
    let known = records.state.facts_many(ACTION, &keys);
    let mut actions = Vec::with_capacity(keys.len());
    let mut changed = Vec::new();
    for (Ended { planned, outcome }, (entry, before)) in ended.iter().zip(keys.into_iter().zip(known)) {
        let key = planned.job.action.key().hex();
        let is_same = before.as_ref().is_some_and(|bytes| bytes.starts_with(key.as_bytes()));
        if !is_same {
            changed.push(Changed { planned, names: names(&planned.imported()), entry, before });
        }
        actions.push(Ran { module: planned.job.name.clone(), key, from: From::of(outcome), is_same });
    }
    let is_hash = workspace.settings.promoted_names()? == PromotedNames::Hash;
    let jobs: Vec<_> = changed.iter().map(|changed| (&changed.planned.job, changed.names.as_slice())).collect();
    let stable = if is_hash { stable::of(records.state, &jobs)? } else { vec![None; changed.len()] };
    let entries = changed.into_iter().zip(stable).map(|(Changed { planned, names, entry, before }, stable)| {
        let before = before.and_then(|bytes| Some(read(&bytes)?.now));
        let kept = Kept { now: Manifest::of(&planned.job.action, names, stable), before };
        Ok((entry, written(&kept)?))
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    if !entries.is_empty() {
        records.state.remember_facts(ACTION, &entries);
    }
    records.remember(output, &head(line.line.output(), workspace, actions))
}

/// Names of imports that are the same in both of two links.
fn names(imported: &[&str]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let name = |identifier: &&str| {
        let name = without_offset(identifier);
        let copy = seen.entry(name.clone()).or_default();
        *copy += 1;
        if *copy == 1 { name } else { format!("{name}#{copy}") }
    };
    imported.iter().map(name).collect()
}

/// An entry: the key, by which it is compared without being read, and the rest as JSON.
fn written(kept: &Kept) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(kept).map_err(Failure::of)?;
    Ok([kept.now.key.as_bytes(), b"\n", &text].concat())
}

fn read(entry: &[u8]) -> Option<Kept> {
    let end = entry.iter().position(|byte| *byte == b'\n')?;
    serde_json::from_slice(entry.get(end + 1..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_entries_when_others_grow() {
        let keys = |modules: &[&str]| action_keys(Path::new("/o"), modules.iter().copied());
        assert_eq!(keys(&["a.a(x.o at 66)", "a.a(x.o at 900)"]), keys(&["a.a(x.o at 70)", "a.a(x.o at 904)"]));
        assert_ne!(keys(&["a.a(x.o at 66)", "a.a(x.o at 900)"])[0], keys(&["a.a(y.o at 66)"])[0]);
        assert_eq!(without_offset("strange (name at x)"), "strange (name at x)");
        assert_eq!(names(&["a.a(x.o at 1)", "a.a(x.o at 2)"]), ["a.a(x.o)", "a.a(x.o)#2"]);
    }

    #[test]
    fn a_key_that_begins_two_actions_is_not_enough() {
        let ran = |module: &str, key: &str| Ran {
            module: module.into(),
            key: key.into(),
            from: From::Executed,
            is_same: false,
        };
        let actions = vec![ran("a.o", "aa11"), ran("b.o", "aa22"), ran("c.o", "cc"), ran("d.o", "cc")];
        let link = Explained {
            output: "o".into(),
            directory: "/".into(),
            way: "".into(),
            why: "".into(),
            actions,
            by_lld: None,
        };
        let module = |what: &str| link.action(what).map(|ran| ran.map(|ran| ran.module.as_str())).ok();
        assert_eq!(module("aa1"), Some(Some("a.o")));
        assert_eq!(module("b.o"), Some(Some("b.o")));
        assert_eq!(module("aa"), None);
        assert_eq!(module("c"), Some(Some("c.o")), "both are one action");
        assert_eq!(module("x"), Some(None));
    }
}
