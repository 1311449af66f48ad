//! Which blobs the engine has got in this run: each is asked for and sent once, however many actions need it.

use crate::blobs::{self, Upload};
use crate::client::Engine;
use crate::error::RemoteError;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use thindist_core::digest::Digest;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Sent {
    claims: Mutex<BTreeMap<Digest, Claim>>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Somebody is at it.
    Sending,
    /// It is there.
    Sent,
    /// The engine has lost it and is not asked whether it has it: it said so once before.
    Lost,
}

impl Sent {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the engine has all of `blobs`, with the number of bytes that were sent for that.
    pub(super) async fn ensure(&self, engine: &Engine, blobs: &[Upload]) -> Result<u64, RemoteError> {
        let mut bytes = 0;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (mine, lost, others) = self.claim(blobs);
            if mine.is_empty() && lost.is_empty() {
                if others {
                    changed.await;
                    continue;
                }
                return Ok(bytes);
            }
            let digests: Vec<Digest> = mine.iter().chain(&lost).map(Upload::digest).collect();
            let claim = Unfinished { sent: self, digests };
            bytes += blobs::upload_missing(engine, mine).await?;
            bytes += blobs::upload(engine, lost).await?;
            claim.finish();
        }
    }

    /// What to ask for, what to send without asking, and whether others are at some of the rest.
    fn claim(&self, blobs: &[Upload]) -> (Vec<Upload>, Vec<Upload>, bool) {
        let (mut mine, mut lost, mut others) = (Vec::new(), Vec::new(), false);
        let mut claims = self.lock();
        let mut ours = std::collections::BTreeSet::new();
        for blob in blobs {
            let digest = blob.digest();
            match claims.get(&digest) {
                Some(Claim::Sent) => continue,
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

/// Claims of an upload that has not ended. One that is given up leaves them to others.
struct Unfinished<'a> {
    sent: &'a Sent,
    digests: Vec<Digest>,
}

impl Unfinished<'_> {
    fn finish(mut self) {
        let mut claims = self.sent.lock();
        for digest in std::mem::take(&mut self.digests) {
            claims.insert(digest, Claim::Sent);
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut claims = self.sent.lock();
        for digest in &self.digests {
            claims.remove(digest);
        }
        drop(claims);
        self.sent.changed.notify_waiters();
    }
}
