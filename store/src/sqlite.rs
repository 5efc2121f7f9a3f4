//! The SQLite file: lock, open, migrate, load, commit.
//!
//! WAL with `synchronous=FULL`: one `fsync` of the log per group of transactions. The connection
//! holds the file exclusively, so SQLite needs no shared-memory file; one less thing that can run
//! out of space, and a guard against a second process where `flock` does not work.

use crate::history::KEPT;
use crate::log::{DurableLog, Stored, Transaction};
use crate::{Change, Commit, Scope, StoreError, create_private};
use kiln_clock::Timestamp;
use parking_lot::Mutex;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The schema's steps, in order: step N leads to version N. Released steps are never edited.
pub(crate) const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_records.sql"), include_str!("../migrations/0002_feed.sql")];

/// The feed is cut to [`KEPT`] commits once in this many.
const TRIM_EVERY: u64 = 1024;

/// The open database.
pub(crate) struct Sqlite {
    pub conn: Mutex<Connection>,
    path: PathBuf,
    // Declared last: released after the connection has closed.
    pub _lock: Lock,
}

impl Sqlite {
    /// Opens the database at `path`, makes it when it is not there, and brings its schema up.
    pub fn open(path: &Path, now: Timestamp) -> Result<Sqlite, StoreError> {
        let lock = lock(path)?;
        create(path)?;
        let failed = |e| classify(path, "open the database", e);
        let mut conn = Connection::open(path).map_err(failed)?;
        configure(&conn).map_err(failed)?;
        migrate(&mut conn, path, MIGRATIONS, now)?;
        Ok(Sqlite { conn: Mutex::new(conn), path: path.to_owned(), _lock: lock })
    }
}

impl DurableLog for Sqlite {
    fn place(&self) -> Arc<str> {
        shown(&self.path)
    }

    fn load(&self, record: &mut dyn FnMut(Stored<'_>)) -> Result<u64, StoreError> {
        try_load(&self.conn.lock(), record).map_err(|e| classify(&self.path, "read the database", e))
    }

    fn commit(&self, group: &[Transaction<'_>]) -> Result<(), StoreError> {
        try_commit(&mut self.conn.lock(), group).map_err(|e| classify(&self.path, "write the database", e))
    }

    fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        create(to)?;
        let conn = self.conn.lock();
        let copied = || {
            let mut copy = Connection::open(to)?;
            // All pages in one step: nobody writes in between, since we have the only connection.
            all_of_it(Backup::new(&conn, &mut copy)?.step(-1)?)?;
            copy.close().map_err(|(_, error)| error)
        };
        copied().map_err(|e| classify(to, "copy the database to", e))
    }

    fn changes(&self, sequence: u64, last: u64) -> Result<Vec<Commit>, StoreError> {
        let changes = try_changes(&self.conn.lock(), sequence, last);
        changes.map_err(|e| classify(&self.path, "read the change feed of", e))
    }
}

/// Whether one step was all: SQLite says that somebody else has the file locked by a result, not by an error.
fn all_of_it(step: StepResult) -> rusqlite::Result<()> {
    let code = match step {
        StepResult::Done => return Ok(()),
        StepResult::Busy => ffi::SQLITE_BUSY,
        StepResult::Locked => ffi::SQLITE_LOCKED,
        // A part of it, though all was asked for, or something that is not known here.
        _ => ffi::SQLITE_ERROR,
    };
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("the copy was not finished".to_owned())))
}

/// The ids of the records of one kind in a copy that nobody else has open.
pub(crate) fn ids_in_copy(copy: &Path, kind: &str) -> Result<BTreeSet<String>, StoreError> {
    let read = || {
        let conn = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // No file beside it that would have to be removed.
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let ids = {
            let mut statement = conn.prepare("SELECT id FROM record WHERE kind = ?1")?;
            statement.query_map([kind], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        conn.close().map_err(|(_, error)| error)?;
        Ok(ids)
    };
    read().map_err(|e| classify(copy, "read the copy", e))
}

fn try_load(conn: &Connection, record: &mut dyn FnMut(Stored<'_>)) -> rusqlite::Result<u64> {
    let mut statement =
        conn.prepare("SELECT kind, account, region, id, json FROM record ORDER BY kind, account, region, id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text = |n| row.get_ref(n)?.as_str().map_err(rusqlite::Error::from);
        record(Stored { kind: text(0)?, account: text(1)?, region: text(2)?, id: text(3)?, json: text(4)? });
    }
    let last: Option<i64> = conn.query_row("SELECT max(sequence) FROM feed", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0) as u64)
}

fn try_commit(conn: &mut Connection, group: &[Transaction<'_>]) -> rusqlite::Result<()> {
    // Dropped without commit, it rolls back.
    let transaction = conn.transaction()?;
    for each in group {
        write_transaction(&transaction, each)?;
    }
    transaction.commit()
}

fn try_changes(conn: &Connection, sequence: u64, last: u64) -> rusqlite::Result<Vec<Commit>> {
    let mut statement = conn.prepare_cached(
        "SELECT sequence, at, changes FROM feed
         WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence",
    )?;
    let rows = statement.query_map(params![sequence as i64, last as i64], |row| {
        let changes: Vec<Change> = serde_json::from_str(row.get_ref(2)?.as_str()?).map_err(|e| conversion(2, e))?;
        let sequence = row.get::<_, i64>(0)? as u64;
        Ok(Commit { sequence, at: Timestamp(row.get(1)?), changes })
    })?;
    rows.collect()
}

fn write_transaction(conn: &Connection, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let Commit { sequence, at, changes } = transaction.commit;
    for (change, json) in changes.iter().zip(&transaction.json) {
        let Change { kind, scope: Scope { account, region }, id, .. } = change;
        match json {
            Some(json) => conn
                .prepare_cached(
                    "INSERT INTO record (kind, account, region, id, json) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (kind, account, region, id) DO UPDATE SET json = excluded.json",
                )?
                .execute(params![kind, account, region, id, json])?,
            None => conn
                .prepare_cached(
                    "DELETE FROM record
                     WHERE kind = ?1 AND account = ?2 AND region = ?3 AND id = ?4",
                )?
                .execute(params![kind, account, region, id])?,
        };
    }
    let changes = serde_json::to_string(changes).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    conn.prepare_cached("INSERT INTO feed (sequence, at, changes) VALUES (?1, ?2, ?3)")?.execute(params![
        *sequence as i64,
        at.millis(),
        changes
    ])?;
    if sequence % TRIM_EVERY == 0 {
        conn.prepare_cached("DELETE FROM feed WHERE sequence <= ?1")?
            .execute(params![sequence.saturating_sub(KEPT) as i64])?;
    }
    Ok(())
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // After a burst the log shrinks again.
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.set_prepared_statement_cache_capacity(16);
    Ok(())
}

/// Brings the schema to the version of the last step, each step in a transaction of its own.
pub(crate) fn migrate(conn: &mut Connection, path: &Path, steps: &[&str], now: Timestamp) -> Result<(), StoreError> {
    let failed = |e| classify(path, "migrate the schema of", e);
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_version (
             version INTEGER PRIMARY KEY,
             applied INTEGER NOT NULL -- milliseconds since 1970
         )",
    )
    .map_err(failed)?;
    let found: u32 =
        conn.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0)).map_err(failed)?;
    if found as usize > steps.len() {
        let known = steps.len() as u32;
        return Err(StoreError::Newer { place: shown(path), found, known });
    }
    for (version, step) in (1..).zip(steps).skip(found as usize) {
        let transaction = conn.transaction().map_err(failed)?;
        transaction.execute_batch(step).map_err(failed)?;
        transaction
            .execute("INSERT INTO schema_version (version, applied) VALUES (?1, ?2)", params![version, now.millis()])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// The lock beside the database. It goes with the process, however that ends.
pub(crate) struct Lock(pub File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would give the lock back too, but not while a child that is being started still
        // has the file, as it has between `fork` and `exec`.
        if let Err(e) = self.0.unlock() {
            tracing::warn!(error = %e, "failed to unlock the database");
        }
    }
}

/// Takes the lock beside the database.
fn lock(path: &Path) -> Result<Lock, StoreError> {
    let beside = with_suffix(path, ".lock");
    let failed = |doing, path: &Path, e| StoreError::File { doing, path: path.to_owned(), source: Arc::new(e) };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|e| failed("create the state directory", parent, e))?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&beside)
        .map_err(|e| failed("open the lock file", &beside, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let holder = match file.read_to_string(&mut pid) {
                Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
                _ => "another process".to_owned(),
            };
            return Err(StoreError::InUse { place: shown(path), holder });
        }
        Err(TryLockError::Error(e)) => return Err(failed("lock", &beside, e)),
    }
    // The number is for the words of the error above only; a full disk must not stop the start.
    if let Err(e) = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())) {
        tracing::warn!(file = %beside.display(), error = %e, "failed to note the process id");
    }
    Ok(Lock(file))
}

fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |e| StoreError::File { doing: "create the database", path: path.to_owned(), source: Arc::new(e) };
    create_private(path).map_err(failed)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The database in an error's words.
fn shown(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// Sorts SQLite's failures by what one can do about them.
fn classify(path: &Path, doing: &'static str, error: rusqlite::Error) -> StoreError {
    let place = shown(path);
    let inner = error.sqlite_error().copied();
    match inner.map(|e| (e.code, e.extended_code)) {
        Some((ErrorCode::DiskFull, _)) => StoreError::NoSpace { place, source: Arc::new(error) },
        // After a failed fsync the system may have dropped the pages, and a later fsync succeeds
        // without them: nothing more can be promised until the file has been read afresh.
        Some((_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
            StoreError::Stopped { place, reason: "the disk did not confirm a write".into() }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
            StoreError::Stopped { place, reason: format!("the database is damaged ({error})").into() }
        }
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => {
            StoreError::InUse { place, holder: "another process".to_owned() }
        }
        _ => StoreError::Io { doing, place, source: Arc::new(error) },
    }
}

fn conversion(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
