//! The SQLite file: lock, open, migrate, load, commit.
//!
//! WAL with `synchronous=FULL`: one `fsync` of the log per group of transactions. The connection
//! holds the file exclusively, so SQLite needs no shared-memory file; one less thing that can run
//! out of space, and a guard against a second process where `flock` does not work.

use crate::entry::Entry;
use crate::history::KEPT;
use crate::table::Table;
use crate::writer::Prepared;
use crate::{Change, Commit, Scope, StoreError};
use kiln_clock::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, ffi, params};
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

/// What was on disk at the start.
pub(crate) struct Loaded {
    pub records: Table<Arc<Entry>>,
    pub sequence: u64,
}

/// The open database.
pub(crate) struct Disk {
    pub conn: Connection,
    path: PathBuf,
    // Declared last: released after the connection has closed.
    _lock: File,
}

impl Disk {
    /// Opens the database at `path`, makes it when it is not there, and brings its schema up.
    pub fn open(path: &Path, now: Timestamp) -> Result<Disk, StoreError> {
        let lock = lock(path)?;
        create_private(path)?;
        let failed = |e| classify(path, "open the database", e);
        let mut conn = Connection::open(path).map_err(failed)?;
        configure(&conn).map_err(failed)?;
        migrate(&mut conn, path, MIGRATIONS, now)?;
        Ok(Disk { conn, path: path.to_owned(), _lock: lock })
    }

    /// Reads every record, undecoded.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.try_load().map_err(|e| classify(&self.path, "read the database", e))
    }

    fn try_load(&self) -> rusqlite::Result<Loaded> {
        let mut records = Table::default();
        let mut statement = self
            .conn
            .prepare("SELECT kind, account, region, id, json FROM record ORDER BY kind, account, region, id")?;
        let mut rows = statement.query([])?;
        let mut scope = Scope::new("", "");
        while let Some(row) = rows.next()? {
            let text = |n| row.get_ref(n)?.as_str().map_err(rusqlite::Error::from);
            let (account, region) = (text(1)?, text(2)?);
            // Rows come ordered, so a scope's names are stored once per kind.
            if *scope.account != *account || *scope.region != *region {
                scope = Scope::new(account, region);
            }
            let kind = records.kind(text(0)?);
            let entry = Arc::new(Entry::from_json(text(4)?.into()));
            records.insert(&kind, &scope, &text(3)?.into(), entry);
        }
        let last: Option<i64> = self.conn.query_row("SELECT max(sequence) FROM feed", [], |row| row.get(0))?;
        Ok(Loaded { records, sequence: last.unwrap_or(0) as u64 })
    }

    /// Writes a group of transactions as one, all or nothing, durable on return.
    pub fn commit<'a>(&mut self, group: impl Iterator<Item = &'a Prepared>) -> Result<(), StoreError> {
        self.try_commit(group).map_err(|e| classify(&self.path, "write the database", e))
    }

    fn try_commit<'a>(&mut self, group: impl Iterator<Item = &'a Prepared>) -> rusqlite::Result<()> {
        // Dropped without commit, it rolls back.
        let transaction = self.conn.transaction()?;
        for prepared in group {
            write_transaction(&transaction, prepared)?;
        }
        transaction.commit()
    }

    /// Copies the database, as it is now, into the new file `to`.
    pub fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        create_private(to)?;
        let copied = || {
            let mut copy = Connection::open(to)?;
            // All pages in one step: nobody writes in between, since we have the only connection.
            Backup::new(&self.conn, &mut copy)?.step(-1)?;
            copy.close().map_err(|(_, error)| error)
        };
        copied().map_err(|e| classify(to, "copy the database to", e))
    }

    /// The commits after `sequence` up to `last`.
    pub fn changes_since(&self, sequence: u64, last: u64) -> Result<Vec<Arc<Commit>>, StoreError> {
        self.try_changes_since(sequence, last).map_err(|e| classify(&self.path, "read the change feed of", e))
    }

    fn try_changes_since(&self, sequence: u64, last: u64) -> rusqlite::Result<Vec<Arc<Commit>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT sequence, at, changes FROM feed
             WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence",
        )?;
        let rows = statement.query_map(params![sequence as i64, last as i64], |row| {
            let changes: Vec<Change> = serde_json::from_str(row.get_ref(2)?.as_str()?).map_err(|e| conversion(2, e))?;
            let sequence = row.get::<_, i64>(0)? as u64;
            Ok(Arc::new(Commit { sequence, at: Timestamp(row.get(1)?), changes }))
        })?;
        rows.collect()
    }
}

fn write_transaction(conn: &Connection, prepared: &Prepared) -> rusqlite::Result<()> {
    let Commit { sequence, at, changes } = &*prepared.commit;
    for (change, value) in changes.iter().zip(&prepared.values) {
        let Change { kind, scope: Scope { account, region }, id, .. } = change;
        match value {
            Some(value) => conn
                .prepare_cached(
                    "INSERT INTO record (kind, account, region, id, json) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (kind, account, region, id) DO UPDATE SET json = excluded.json",
                )?
                .execute(params![kind, account, region, id, value.json])?,
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
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
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

/// Takes the lock beside the database. It goes with the process, however that ends.
fn lock(path: &Path) -> Result<File, StoreError> {
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
            return Err(StoreError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(failed("lock", &beside, e)),
    }
    // The number is for the words of the error above only; a full disk must not stop the start.
    if let Err(e) = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())) {
        tracing::warn!(file = %beside.display(), error = %e, "failed to note the process id");
    }
    Ok(file)
}

/// Makes the file before SQLite does, readable by its owner only: it holds secrets. SQLite gives
/// the log beside it the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let failed = |e| StoreError::File { doing: "create the database", path: path.to_owned(), source: Arc::new(e) };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all().map_err(failed)?;
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new("."))).and_then(|d| d.sync_all()).map_err(failed)
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(failed(e)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Sorts SQLite's failures by what one can do about them.
fn classify(path: &Path, doing: &'static str, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let inner = error.sqlite_error().copied();
    match inner.map(|e| (e.code, e.extended_code)) {
        Some((ErrorCode::DiskFull, _)) => StoreError::NoSpace { path, source: Arc::new(error) },
        // After a failed fsync the system may have dropped the pages, and a later fsync succeeds
        // without them: nothing more can be promised until the file has been read afresh.
        Some((_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
            StoreError::Stopped { path, reason: "the disk did not confirm a write".into() }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
            StoreError::Stopped { path, reason: format!("the database is damaged ({error})").into() }
        }
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => {
            StoreError::InUse { path, holder: "another process".to_owned() }
        }
        _ => StoreError::Io { doing, path, source: Arc::new(error) },
    }
}

fn conversion(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
