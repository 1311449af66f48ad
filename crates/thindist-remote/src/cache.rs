//! Results of other clients: looked up by the action's key, fetched, checked, and put into the local stores.
//!
//! Nothing that a cache says is believed. A blob has the content of its digest and is an object for the right machine, or
//! its backend runs here. An engine that fails is a look-up that found less.

use crate::asked::Asked;
use crate::blobs::{self, Fetched, Upload};
use crate::client::Client;
use crate::engine::Engine;
use crate::error::RemoteError;
use crate::execute::{RemoteAction, Sent, Worker};
use crate::results::{self, ActionOutput, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thindist_core::action_files::NATIVE_OBJECT_NAME;
use thindist_core::digest::Digest;
use thindist_exec::{
    ActionCache, CachedOutput, CachedResult, Cas, Job, NativeObject, Origin, StoreError, Times, object_check,
};
use tokio::task::JoinSet;

/// A cache of an engine in front of the local stores.
#[derive(Debug)]
pub struct RemoteCache {
    client: Client,
    cas: Cas,
    action_cache: ActionCache,
    /// Where the engine executes: then its own results are found as well.
    worker: Option<Arc<Worker>>,
    asked: Arc<Asked>,
}

/// What a look-up found.
#[derive(Debug, Default)]
pub struct Found {
    /// One a job, in their order.
    pub natives: Vec<Option<NativeObject>>,
    /// What was wrong; each is worth one warning.
    pub complaints: Vec<String>,
}

impl RemoteCache {
    /// The cache that `client` speaks to, in front of these stores. With a `worker` what was executed there is found as well.
    pub fn new(client: Client, cas: &Cas, action_cache: &ActionCache, worker: Option<Worker>) -> Self {
        let (cas, action_cache, worker) = (cas.clone(), action_cache.clone(), worker.map(Arc::new));
        Self { client, cas, action_cache, worker, asked: Arc::default() }
    }

    /// Who speaks to the engine.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the engine executes.
    pub fn worker(&self) -> Option<&Worker> {
        self.worker.as_deref()
    }

    /// Begins to ask for a job that will be looked up, and, if the engine has no result and `send` is wanted, to send its
    /// inputs. Nobody waits for that; what goes wrong is told by the look-up, or by [`Self::trouble`].
    pub fn ahead(&self, job: &Job, send: bool) {
        let ahead = Ahead {
            engine: self.client.engine().clone(),
            asked: Arc::clone(&self.asked),
            sent: Arc::clone(&self.client.sent),
            worker: self.worker.clone(),
        };
        let job = job.clone();
        self.client.spawn(async move {
            if let Err(error) = ahead.of(&job, send).await {
                ahead.asked.fail(error);
            }
        });
    }

    /// What went wrong ahead and has not been told.
    pub fn trouble(&self) -> Option<RemoteError> {
        self.asked.take_failure()
    }

    /// Fetches the native objects that the engine has for `jobs`.
    pub fn look_up(&self, jobs: &[&Job]) -> Result<Found, StoreError> {
        let engine = self.client.engine();
        let (results, mut failures) = self.ask(jobs);
        let wanted = results.values().flat_map(ActionOutput::blobs).filter(|blob| !self.cas.contains(blob)).collect();
        let (mut blobs, failed) = self.client.block_on(blobs::download(engine, wanted));
        failures.extend(failed);
        let mut natives = Vec::with_capacity(jobs.len());
        let mut unusable = BTreeSet::new();
        for job in jobs {
            let key = job.action.key();
            let taken = match results.get(&key) {
                Some(output) => self.take(output, job.action.elf_machine, &mut blobs),
                None => Ok(None),
            };
            natives.push(match taken {
                Ok(native) => native,
                Err(Unusable::Store(error)) => return Err(error),
                Err(Unusable::Content(what)) => {
                    unusable.insert(format!("{}: {what}", job.name));
                    None
                }
            });
            if let Some(Some(native)) = natives.last() {
                self.note(&key, native)?;
            }
        }
        failures.extend(self.trouble());
        failures.extend(self.complain(&unusable));
        failures.retain(|failure| !failure.is_known());
        let complaints = failures.iter().map(ToString::to_string).collect();
        Ok(Found { natives, complaints })
    }

    /// What the engine has, by our keys: first what was left under them, then what it has executed itself.
    fn ask(&self, jobs: &[&Job]) -> (BTreeMap<Digest, ActionOutput>, Vec<RemoteError>) {
        let engine = self.client.engine();
        let keys: BTreeMap<Digest, &Job> = jobs.iter().map(|job| (job.action.key(), *job)).collect();
        let (mut results, failed) = self.client.block_on(ask_all(engine, &self.asked, keys.keys().copied().collect()));
        let mut failures: Vec<RemoteError> = failed.into_iter().collect();
        let Some(worker) = &self.worker else { return (results, failures) };
        let missing = keys.iter().filter(|(key, _)| !results.contains_key(*key));
        let executed: BTreeMap<Digest, Digest> =
            missing.filter_map(|(key, job)| Some((RemoteAction::of(job, worker).ok()?.digest, *key))).collect();
        let (found, failed) = self.client.block_on(ask_all(engine, &self.asked, executed.keys().copied().collect()));
        failures.extend(failed);
        results.extend(found.into_iter().filter_map(|(action, output)| Some((*executed.get(&action)?, output))));
        (results, failures)
    }

    fn complain(&self, unusable: &BTreeSet<String>) -> Option<RemoteError> {
        let first = unusable.first()?;
        let engine = &self.client.engine().connection;
        let what = format!(
            "{} of its objects cannot be used and are compiled here; the first is that of {first}",
            unusable.len()
        );
        Some(engine.error(what))
    }

    /// What was found under one key as a native object in the CAS.
    fn take(
        &self,
        output: &ActionOutput,
        machine: u16,
        blobs: &mut BTreeMap<Digest, Fetched>,
    ) -> Result<Option<NativeObject>, Unusable> {
        let stderr = match &output.stderr {
            Text::Inline(text) => text.clone(),
            Text::Blob(digest) => match self.content(digest, blobs)? {
                Some(text) => text.to_vec(),
                None => return Ok(None),
            },
        };
        let Some(object) = self.content(&output.object, blobs)? else { return Ok(None) };
        object_check::check(&object, machine).map_err(Unusable::Content)?;
        if matches!(blobs.get(&output.object), Some(Fetched::Good(_))) {
            self.cas.put_fetched(&output.object, &object).map_err(Unusable::Store)?;
        }
        let fetched = output.blobs().filter(|blob| matches!(blobs.get(blob), Some(Fetched::Good(_))));
        let times = Box::new(Times { bytes_down: fetched.map(|blob| blob.size()).sum(), ..Times::default() });
        Ok(Some(NativeObject {
            digest: output.object,
            side: Box::default(),
            stderr,
            from: Origin::RemoteCache,
            estimate: None,
            times,
        }))
    }

    /// A blob that was fetched or was here already.
    fn content(&self, digest: &Digest, blobs: &BTreeMap<Digest, Fetched>) -> Result<Option<Arc<[u8]>>, Unusable> {
        match blobs.get(digest) {
            Some(Fetched::Good(bytes)) => Ok(Some(Arc::clone(bytes))),
            Some(Fetched::Wrong) => Err(Unusable::Content(format!("its blob {digest} has another content"))),
            Some(Fetched::Missing) => Ok(None),
            None => Ok(self.cas.read(digest).map_err(Unusable::Store)?.map(Arc::from)),
        }
    }

    /// So that the next link finds it here.
    fn note(&self, key: &Digest, native: &NativeObject) -> Result<(), StoreError> {
        let output = CachedOutput { path: NATIVE_OBJECT_NAME.to_owned(), digest: native.digest, executable: false };
        self.action_cache
            .put(key, &CachedResult { outputs: vec![output], stdout: Vec::new(), stderr: native.stderr.clone() })
    }

    /// Leaves results of this machine for others: first the objects, then what names them.
    pub fn upload(&self, results: &[(Digest, NativeObject)]) -> Result<(), RemoteError> {
        let engine = self.client.engine();
        if !engine.capabilities.may_update {
            return Err(engine.connection.error("it takes no results, and remote_upload_local_results is on"));
        }
        let object = |(_, native): &(Digest, NativeObject)| Upload::file(native.digest, self.cas.path(&native.digest));
        self.client.upload(results.iter().map(object).collect())?;
        self.client.block_on(put_all(engine, results))
    }
}

/// Why what was found is not taken.
enum Unusable {
    Content(String),
    Store(StoreError),
}

/// What [`RemoteCache::ahead`] is done with.
struct Ahead {
    engine: Engine,
    asked: Arc<Asked>,
    sent: Arc<Sent>,
    worker: Option<Arc<Worker>>,
}

impl Ahead {
    async fn of(&self, job: &Job, send: bool) -> Result<(), RemoteError> {
        let Self { engine, asked, sent, worker } = self;
        if asked.ask(engine, &job.action.key()).await?.is_some() {
            return Ok(());
        }
        // What no root can hold runs here, and that is told then.
        let Some(Ok(action)) = worker.as_deref().map(|worker| RemoteAction::of(job, worker)) else { return Ok(()) };
        if asked.ask(engine, &action.digest).await?.is_some() || !send {
            return Ok(());
        }
        sent.ensure(engine, &action.blobs).await
    }
}

/// Asks for all keys at once. What fails is no hit.
async fn ask_all(
    engine: &Engine,
    asked: &Arc<Asked>,
    keys: BTreeSet<Digest>,
) -> (BTreeMap<Digest, ActionOutput>, Option<RemoteError>) {
    let mut tasks = JoinSet::new();
    for key in keys {
        let (engine, asked) = (engine.clone(), Arc::clone(asked));
        tasks.spawn(async move { (key, asked.ask(&engine, &key).await) });
    }
    let (mut found, mut failed) = (BTreeMap::new(), None);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((key, Ok(Some(output)))) => drop(found.insert(key, output)),
            Ok((_, Ok(None))) => {}
            Ok((_, Err(error))) => failed = failed.filter(|first| !RemoteError::is_known(first)).or(Some(error)),
            Err(error) => failed = failed.or(Some(engine.connection.error(format!("internal error: {error}")))),
        }
    }
    (found, failed)
}

async fn put_all(engine: &Engine, results: &[(Digest, NativeObject)]) -> Result<(), RemoteError> {
    let mut tasks = JoinSet::new();
    for (key, native) in results {
        let (engine, key, object, stderr) = (engine.clone(), *key, native.digest, native.stderr.as_slice().into());
        tasks.spawn(async move { results::put(&engine, &key, &object, &stderr).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| engine.connection.error(format!("internal error: {error}")))??;
    }
    Ok(())
}
