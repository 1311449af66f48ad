//! What is remembered between links and may be lost at any time: file digests, facts about content, estimates.
//!
//! One SQLite file in WAL mode. Whatever is wrong with it (locked, damaged, of another version, no space) only costs
//! time: this module has no errors of its own, only those of reading the files that are to be digested.

mod database;

use crate::estimate::Estimate;
use crate::store::cas::digest_reader;
use crate::store::store_error::{IoContext as _, StoreError};
use database::{Database, FileRow};
use std::fs::File;
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use thindist_core::digest::Digest;

use crate::store::file_stamp::FileStamp;

/// How often a file that changes while it is hashed is hashed again. More is not patience but a busy writer.
const ATTEMPTS: usize = 3;

/// The remembered state of one cache.
#[derive(Debug)]
pub struct State {
    database: Mutex<Database>,
}

type Digested = Result<(Digest, FileStamp), StoreError>;

impl State {
    /// Opens the state below `cache_root`. One that cannot be opened is moved aside, or done without.
    #[must_use]
    pub fn open(cache_root: &Path) -> Self {
        Self { database: Mutex::new(Database::open(cache_root)) }
    }

    /// The digest of a file, from memory if the file is certainly the same as when it was hashed.
    pub fn digest_file(&self, path: &Path) -> Digested {
        let mut one = self.digest_files(&[path.to_owned()], 1);
        // One path in, one answer out.
        one.pop().unwrap_or_else(|| digest_and_stamp(path).map(|hashed| (hashed.digest, hashed.stamp)))
    }

    /// As [`Self::digest_file`] for many, in the same order, with `threads` threads.
    pub fn digest_files(&self, paths: &[PathBuf], threads: usize) -> Vec<Digested> {
        let known = self.with(|database| database.files(&keys_of(paths)));
        let all: Vec<_> = paths.iter().zip(known).collect();
        let results = parallel(&all, threads, |(path, row)| recall_or_hash(path, row.as_ref()));
        self.remember_files(paths, &results);
        results.into_iter().map(|result| result.map(|hashed| (hashed.digest, hashed.stamp))).collect()
    }

    /// The digests of files that have not changed since they were hashed; `None` if one of them would have to be read.
    #[must_use]
    pub fn recall_files(&self, paths: &[PathBuf]) -> Option<Vec<Digest>> {
        let known = self.with(|database| database.files(&keys_of(paths)));
        let recall = |(path, row): (&PathBuf, Option<FileRow>)| {
            row.filter(|row| FileStamp::of(path).is_ok_and(|stamp| stamp == row.stamp)).map(|row| row.digest)
        };
        paths.iter().zip(known).map(recall).collect()
    }

    fn remember_files(&self, paths: &[PathBuf], results: &[Result<Hashed, StoreError>]) {
        let worth = |result: &Result<Hashed, StoreError>| match result {
            Ok(Hashed { digest, stamp, remember: true }) => Some(FileRow { digest: *digest, stamp: *stamp }),
            _ => None,
        };
        let rows = paths.iter().zip(results).filter_map(|(path, result)| worth(result).map(|row| (key_of(path), row)));
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            self.with(|database| database.remember_files(&rows));
        }
    }

    /// What is remembered about the content `key`. `kind` names, and versions, what the value means.
    #[must_use]
    pub fn facts(&self, kind: &str, key: &Digest) -> Option<Vec<u8>> {
        self.facts_many(kind, &[*key]).pop().flatten()
    }

    /// As [`Self::facts`] for many, in the same order.
    #[must_use]
    pub fn facts_many(&self, kind: &str, keys: &[Digest]) -> Vec<Option<Vec<u8>>> {
        self.with(|database| database.facts(kind, keys))
    }

    /// Remembers facts about contents.
    pub fn remember_facts(&self, kind: &str, facts: &[(Digest, Vec<u8>)]) {
        self.with(|database| database.remember_facts(kind, facts));
    }

    /// What the last runs of these modules took.
    #[must_use]
    pub fn estimates(&self, names: &[String]) -> Vec<Option<Estimate>> {
        self.with(|database| database.estimates(names))
    }

    /// Remembers what modules took.
    pub fn remember_runs(&self, runs: &[(String, Estimate)]) {
        self.with(|database| database.remember_runs(runs));
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Database) -> T) -> T {
        use_it(&mut self.database.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Files are remembered under absolute paths: links run in different directories.
fn key_of(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The same of many: the kernel is asked once where this process is.
fn keys_of(paths: &[PathBuf]) -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    paths.iter().map(|path| key_of(&here.join(path))).collect()
}

struct Hashed {
    digest: Digest,
    stamp: FileStamp,
    remember: bool,
}

fn recall_or_hash(path: &Path, row: Option<&FileRow>) -> Result<Hashed, StoreError> {
    if let Some(row) = row
        && FileStamp::of(path).on("read", path)? == row.stamp
    {
        return Ok(Hashed { digest: row.digest, stamp: row.stamp, remember: false });
    }
    digest_and_stamp(path)
}

/// Hashes a file until its stamp is the same before and after. Racy stamps are not remembered, so none is ever trusted.
fn digest_and_stamp(path: &Path) -> Result<Hashed, StoreError> {
    let mut hashed = hash_once(path)?;
    for _ in 1..ATTEMPTS {
        if FileStamp::of(path).is_ok_and(|after| after == hashed.stamp) {
            return Ok(hashed);
        }
        hashed = hash_once(path)?;
    }
    // Still being written. The stamp from before the last read shows that to whoever looks at the file again.
    hashed.remember = false;
    Ok(hashed)
}

fn hash_once(path: &Path) -> Result<Hashed, StoreError> {
    let began = now_ns();
    let mut file = File::open(path).on("read", path)?;
    let stamp = FileStamp::of_metadata(&file.metadata().on("read", path)?);
    let digest = digest_reader(&mut file, stamp.size).on("read", path)?;
    Ok(Hashed { digest, stamp, remember: !stamp.is_racy_at(began) })
}

fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(0)
}

/// `work` on each item, in `threads` threads (this one among them), results in the order of the items.
pub(crate) fn parallel<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut results = thread::scope(|scope| {
        let helpers = 1..threads.min(items.len());
        let helper = |_| thread::Builder::new().spawn_scoped(scope, take_turns);
        // Fewer threads than asked for are only slower.
        let helpers: Vec<_> = helpers.filter_map(|number| helper(number).ok()).collect();
        let mut results = take_turns();
        for helper in helpers {
            results.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
