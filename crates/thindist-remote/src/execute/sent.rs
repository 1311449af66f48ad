//! Which blobs the engine got in this run: each is asked for and sent once, however many actions need it.

use crate::blobs::{self, Upload};
use crate::client::Engine;
use crate::error::RemoteError;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thindist_core::digest::Digest;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Sent {
    claims: Mutex<BTreeMap<Digest, Claim>>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Somebody is at it.
    Sending,
    /// It is there. So many bytes were sent for that, and no action has been told yet.
    Sent(u64),
    /// The engine has lost it and is not asked whether it has it: it said so once before.
    Lost,
}

impl Sent {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the engine has all of `blobs`. Whoever gives up waiting leaves what is under way to the others.
    pub(crate) async fn ensure(self: &Arc<Self>, engine: &Engine, blobs: &[Upload]) -> Result<(), RemoteError> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (mine, lost, others) = self.claim(blobs);
            if mine.is_empty() && lost.is_empty() {
                if others {
                    changed.await;
                    continue;
                }
                return Ok(());
            }
            let digests: Vec<Digest> = mine.iter().chain(&lost).map(Upload::digest).collect();
            let claim = Unfinished { sent: Arc::clone(self), digests };
            let sending = tokio::spawn(send(engine.clone(), mine, lost, claim));
            sending.await.map_err(|error| blobs::panicked(engine, &error))??;
        }
    }

    /// The bytes that were sent for `blobs`, unless another action has been told of them.
    pub(super) fn take_bytes(&self, blobs: &[Upload]) -> u64 {
        let mut claims = self.lock();
        let mut take = |blob: &Upload| match claims.get_mut(&blob.digest()) {
            Some(Claim::Sent(bytes)) => std::mem::take(bytes),
            _ => 0,
        };
        blobs.iter().map(&mut take).sum()
    }

    /// What to ask for, what to send without asking, and whether others are at some of the rest.
    fn claim(&self, blobs: &[Upload]) -> (Vec<Upload>, Vec<Upload>, bool) {
        let (mut mine, mut lost, mut others) = (Vec::new(), Vec::new(), false);
        let mut claims = self.lock();
        let mut ours = BTreeSet::new();
        for blob in blobs {
            let digest = blob.digest();
            match claims.get(&digest) {
                Some(Claim::Sent(_)) => continue,
                Some(Claim::Sending) => {
                    others |= !ours.contains(&digest);
                    continue;
                }
                Some(Claim::Lost) => lost.push(blob.clone()),
                None => mine.push(blob.clone()),
            }
            ours.insert(digest);
            claims.insert(digest, Claim::Sending);
        }
        (mine, lost, others)
    }

    /// The engine does not have all of `blobs`. Those that it `named` are sent again in any case, the rest is asked for.
    pub(super) fn forget(&self, blobs: &[Upload], named: &str) {
        let mut claims = self.lock();
        for digest in blobs.iter().map(Upload::digest) {
            if claims.get(&digest) != Some(&Claim::Sending) {
                let lost = named.contains(&digest.hex());
                if lost {
                    claims.insert(digest, Claim::Lost)
                } else {
                    claims.remove(&digest)
                };
            }
        }
    }
}

async fn send(engine: Engine, ask: Vec<Upload>, lost: Vec<Upload>, claim: Unfinished) -> Result<(), RemoteError> {
    let mut sent = blobs::upload_missing(&engine, ask).await?;
    sent.extend(lost.iter().map(Upload::digest));
    blobs::upload(&engine, lost).await?;
    claim.finish(&sent);
    Ok(())
}

/// Claims of an upload that has not ended. One that is given up leaves them to others.
struct Unfinished {
    sent: Arc<Sent>,
    digests: Vec<Digest>,
}

impl Unfinished {
    fn finish(mut self, sent: &BTreeSet<Digest>) {
        let mut claims = self.sent.lock();
        for digest in std::mem::take(&mut self.digests) {
            let bytes = if sent.contains(&digest) { digest.size() } else { 0 };
            claims.insert(digest, Claim::Sent(bytes));
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut claims = self.sent.lock();
        for digest in &self.digests {
            claims.remove(digest);
        }
        drop(claims);
        self.sent.changed.notify_waiters();
    }
}
