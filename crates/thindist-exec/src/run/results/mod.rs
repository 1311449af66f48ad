//! Results of actions in the local stores: under the action's key and, where imports bring debug information, under what the
//! object depends on of that.
//!
//! ```text
//! key              every input
//! code key         without debug information of imports: the last result, with the ranks of the imports whose debug
//!                  information it shows
//! key of these     with that of these imports and of no other
//! ```
//!
//! Which imports show is the same for all actions of one code key: it follows from the code. So a look-up that finds none there
//! has its result, and else the key to ask for.

use crate::run::job::{NativeObject, Origin};
use crate::store::action_cache::{ActionCache, CachedOutput, CachedResult};
use crate::store::cas::Cas;
use crate::store::store_error::StoreError;
use std::collections::BTreeSet;
use thindist_core::action_files::NATIVE_OBJECT_NAME;
use thindist_core::digest::Digest;
use thindist_core::import_facts;
use thindist_core::plan::action::Action;

/// The native object that the stores have for an action, each blob verified. Whatever is wrong is a miss.
pub(crate) fn find(cas: &Cas, cache: &ActionCache, action: &Action) -> Option<NativeObject> {
    let get = |key: &Digest| cache.get(key).ok().flatten();
    if let Some(result) = get(&action.key()) {
        return native(cas, &result);
    }
    let last = get(&action.code_key()?)?;
    let shown = ranks(&last.stdout)?;
    let result = if shown.is_empty() { last } else { get(&action.shown_key(&shown))? };
    let native = native(cas, &result)?;
    // The next look-up takes one step.
    let _ = cache.put(&action.key(), &CachedResult { stdout: Vec::new(), ..result });
    Some(native)
}

/// Keeps what an action has made.
pub fn keep(cas: &Cas, cache: &ActionCache, action: &Action, made: &NativeObject) -> Result<(), StoreError> {
    let result = cached(made);
    cache.put(&action.key(), &result)?;
    let Some(code_key) = action.code_key() else { return Ok(()) };
    let Some(shown) = shown(cas, action, made)? else { return cache.remove(&code_key) };
    if !shown.is_empty() {
        cache.put(&action.shown_key(&shown), &result)?;
    }
    cache.put(&code_key, &CachedResult { stdout: text(&shown), ..result })
}

/// Forgets what was kept of an action.
pub fn forget(cache: &ActionCache, action: &Action) -> Result<(), StoreError> {
    let code_key = action.code_key();
    let shown = code_key.and_then(|key| ranks(&cache.get(&key).ok()??.stdout));
    let shown_key = shown.map(|shown| action.shown_key(&shown));
    [Some(action.key()), code_key, shown_key].iter().flatten().try_for_each(|key| cache.remove(key))
}

/// The ranks of the imports whose debug information an object shows; `None` if that cannot be told.
fn shown(cas: &Cas, action: &Action, made: &NativeObject) -> Result<Option<BTreeSet<usize>>, StoreError> {
    // What the compiler says may name places in any source.
    if !made.stderr.is_empty() {
        return Ok(None);
    }
    let Some(object) = cas.read(&made.digest)? else { return Ok(None) };
    let traces = action.imports.iter().map(|import| import.part.as_ref()?.debug.as_ref());
    Ok(import_facts::shown(&object, traces))
}

fn text(shown: &BTreeSet<usize>) -> Vec<u8> {
    let ranks: Vec<String> = shown.iter().map(usize::to_string).collect();
    ranks.join(" ").into_bytes()
}

fn ranks(text: &[u8]) -> Option<BTreeSet<usize>> {
    std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(|rank| rank.parse().ok()).collect()
}

fn native(cas: &Cas, result: &CachedResult) -> Option<NativeObject> {
    let digest = result.outputs.iter().find(|output| output.path == NATIVE_OBJECT_NAME)?.digest;
    let is_good = |digest: &Digest| cas.has_good(digest).unwrap_or(false);
    let beside = result.outputs.iter().filter(|output| output.path != NATIVE_OBJECT_NAME);
    let side: Box<[(String, Digest)]> = beside.map(|output| (output.path.clone(), output.digest)).collect();
    let good = digest.size() > 0 && is_good(&digest) && side.iter().all(|(_, digest)| is_good(digest));
    good.then(|| NativeObject {
        digest,
        side,
        stderr: result.stderr.clone(),
        from: Origin::LocalCache,
        estimate: None,
        times: Box::default(),
    })
}

pub(crate) fn cached(object: &NativeObject) -> CachedResult {
    let output = |path: &str, digest| CachedOutput { path: path.to_owned(), digest, executable: false };
    let beside = object.side.iter().map(|(name, digest)| output(name, *digest));
    let outputs = std::iter::once(output(NATIVE_OBJECT_NAME, object.digest)).chain(beside).collect();
    CachedResult { outputs, stdout: Vec::new(), stderr: object.stderr.clone() }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
