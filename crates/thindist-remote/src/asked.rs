//! What the action cache has answered in this run: each key is asked for once, however many callers need it.

use crate::client::Engine;
use crate::error::RemoteError;
use crate::results::{self, ActionOutput};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use thindist_core::digest::Digest;
use tokio::sync::OnceCell;

type Answer = Arc<OnceCell<Option<ActionOutput>>>;

#[derive(Debug, Default)]
pub(crate) struct Asked {
    answers: Mutex<BTreeMap<Digest, Answer>>,
    failure: Mutex<Option<RemoteError>>,
}

impl Asked {
    /// The answer, or why there is none; then the next one asks again.
    pub(crate) async fn ask(&self, engine: &Engine, key: &Digest) -> Result<Option<ActionOutput>, RemoteError> {
        let cell = Arc::clone(self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(*key).or_default());
        cell.get_or_try_init(|| results::get(engine, key)).await.cloned()
    }

    /// Keeps what went wrong while nobody waited: the first that is news.
    pub(crate) fn fail(&self, error: RemoteError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.as_ref().is_none_or(RemoteError::is_known) {
            *failure = Some(error);
        }
    }

    pub(crate) fn take_failure(&self) -> Option<RemoteError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
