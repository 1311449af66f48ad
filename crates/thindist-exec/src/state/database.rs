//! The SQLite side of [`super::State`]: it knows rows and how a database can be damaged, not what rows mean.
//!
//! `user_version` is the version of the format. A reader that finds another one, older or newer, drops all tables and
//! makes its own: everything here can be found out again.

use super::{Estimate, FileStamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row, params};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thindist_core::digest::Digest;

const NAME: &str = "state.sqlite";
const FORMAT: i64 = 1;

/// Another process writes for milliseconds. Longer waits would cost more than what is remembered saves.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1000);

/// Rows a table may have; the oldest written go first. About 50 MB of files, a few hundred links' worth.
const MAX_ROWS: i64 = 300_000;

const SCHEMA: &str = "
DROP TABLE IF EXISTS files;
DROP TABLE IF EXISTS facts;
DROP TABLE IF EXISTS runs;
CREATE TABLE files(path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, device INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TABLE facts(kind TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL,
  UNIQUE(kind, hash, size));
CREATE TABLE runs(name TEXT NOT NULL UNIQUE, duration_ms INTEGER NOT NULL, peak_rss_kib INTEGER NOT NULL);
";

/// A database, or the lack of one.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Option<Connection>,
}

/// A file's digest and the stamp it had then.
#[derive(Debug, Clone)]
pub(super) struct FileRow {
    pub(super) digest: Digest,
    pub(super) stamp: FileStamp,
}

impl Database {
    pub(super) fn open(cache_root: &Path) -> Self {
        let path = cache_root.join(NAME);
        let connection = match connect(&path) {
            Err(error) if is_damage(&error) => {
                move_aside(&path);
                connect(&path).ok()
            }
            result => result.ok(),
        };
        Self { path, connection }
    }

    pub(super) fn files(&mut self, paths: &[PathBuf]) -> Vec<Option<FileRow>> {
        let sql = "SELECT size, mtime_ns, ctime_ns, inode, device, hash FROM files WHERE path = ?1";
        self.select_each(sql, paths, |path| params_of_path(path), file_row)
    }

    pub(super) fn remember_files(&mut self, rows: &[(PathBuf, FileRow)]) {
        let sql = "INSERT OR REPLACE INTO files VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.insert_each("files", sql, rows, |statement, (path, FileRow { digest, stamp })| {
            // Times beyond the year 2262 are not worth a wider column.
            let (Ok(mtime), Ok(ctime)) = (i64::try_from(stamp.mtime_ns), i64::try_from(stamp.ctime_ns)) else {
                return Ok(0);
            };
            let (inode, device) = (stamp.inode.cast_signed(), stamp.device.cast_signed());
            let bytes = path.as_os_str().as_bytes();
            statement.execute(params![bytes, stamp.size.cast_signed(), mtime, ctime, inode, device, digest.hash()])
        });
    }

    pub(super) fn facts(&mut self, kind: &str, keys: &[Digest]) -> Vec<Option<Vec<u8>>> {
        let sql = "SELECT value FROM facts WHERE kind = ?1 AND hash = ?2 AND size = ?3";
        self.select_each(sql, keys, |key| (kind.to_owned(), *key.hash(), key.size().cast_signed()), |row| row.get(0))
    }

    pub(super) fn remember_facts(&mut self, kind: &str, facts: &[(Digest, Vec<u8>)]) {
        let sql = "INSERT OR REPLACE INTO facts VALUES(?1, ?2, ?3, ?4)";
        self.insert_each("facts", sql, facts, |statement, (key, value)| {
            statement.execute(params![kind, key.hash(), key.size().cast_signed(), value])
        });
    }

    pub(super) fn estimates(&mut self, names: &[String]) -> Vec<Option<Estimate>> {
        let sql = "SELECT duration_ms, peak_rss_kib FROM runs WHERE name = ?1";
        self.select_each(sql, names, |name| (name.clone(),), estimate_row)
    }

    pub(super) fn remember_runs(&mut self, runs: &[(String, Estimate)]) {
        let sql = "INSERT OR REPLACE INTO runs VALUES(?1, ?2, ?3)";
        self.insert_each("runs", sql, runs, |statement, (name, estimate)| {
            let (duration, peak) = (estimate.duration_ms.cast_signed(), estimate.peak_rss_kib.cast_signed());
            statement.execute(params![name, duration, peak])
        });
    }

    /// One look-up an item in one read transaction; `None` for all without a database.
    fn select_each<K, P: Params, R>(
        &mut self,
        sql: &str,
        keys: &[K],
        parameters: impl Fn(&K) -> P,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Vec<Option<R>> {
        let found = self.attempt(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(sql)?;
            keys.iter().map(|key| statement.query_row(parameters(key), &read).optional()).collect()
        });
        found.unwrap_or_else(|| keys.iter().map(|_| None).collect())
    }

    /// One insertion an item in one write transaction, then the table is cut to its bound.
    fn insert_each<T>(
        &mut self,
        table: &str,
        sql: &str,
        rows: &[T],
        insert: impl Fn(&mut rusqlite::CachedStatement<'_>, &T) -> rusqlite::Result<usize>,
    ) {
        self.attempt(|connection| {
            let transaction =
                rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
            let mut statement = transaction.prepare_cached(sql)?;
            for row in rows {
                insert(&mut statement, row)?;
            }
            drop(statement);
            // REPLACE gives a new rowid, so rowids are in the order of writing.
            let bound = format!("DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ?1");
            transaction.execute(&bound, [MAX_ROWS])?;
            transaction.commit()
        });
    }

    /// `None` without a database, and if it fails. A damaged one is moved aside for the next link to begin anew.
    fn attempt<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        match work(self.connection.as_ref()?) {
            Ok(value) => Some(value),
            Err(error) => {
                if is_damage(&error) {
                    self.connection = None;
                    move_aside(&self.path);
                }
                None
            }
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // With WAL, NORMAL loses the last commits in a power failure but cannot damage the file. OFF could, and damage
    // might look like a valid digest.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    if format_of(&connection)? != FORMAT {
        make_tables(&connection)?;
    }
    Ok(connection)
}

fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if format_of(&transaction)? != FORMAT {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Damage of the file, as opposed to a lock, a full disk or a missing permission. A column of another type is damage
/// too: only this module writes them.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => true,
        _ => false,
    }
}

/// The log goes with its database; applied to a new one it would damage that.
fn move_aside(path: &Path) {
    for suffix in ["-wal", "-shm", ""] {
        let with = |middle: &str| {
            let mut name = OsString::from(path);
            name.push(middle);
            name.push(suffix);
            name
        };
        // If it cannot be moved, we go on without.
        let _ = fs::rename(with(""), with(".damaged"));
    }
}

fn params_of_path(path: &Path) -> (Vec<u8>,) {
    (path.as_os_str().as_bytes().to_vec(),)
}

fn file_row(row: &Row<'_>) -> rusqlite::Result<FileRow> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let stamp = FileStamp {
        size: unsigned(0)?,
        mtime_ns: row.get::<_, i64>(1)?.into(),
        ctime_ns: row.get::<_, i64>(2)?.into(),
        inode: unsigned(3)?,
        device: unsigned(4)?,
    };
    Ok(FileRow { digest: Digest::from_parts(row.get(5)?, stamp.size), stamp })
}

fn estimate_row(row: &Row<'_>) -> rusqlite::Result<Estimate> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Estimate { duration_ms: unsigned(0)?, peak_rss_kib: unsigned(1)? })
}
