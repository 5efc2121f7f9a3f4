//! The file: SQLite beside the store's and the journal's, WAL with `synchronous=FULL`, one `fsync` a commit.
//!
//! A row of `chunk` is found by its level, series and beginning; values have row ids, since in a table without them
//! long values would make the tree deep.

use crate::error::PointsError;
use kiln_store::create_private;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the tables are like; a file with a greater number is from a newer kiln.
const FORMAT: u32 = 1;

const SCHEMA: &str = "
    CREATE TABLE metric (
        id   INTEGER PRIMARY KEY,
        key  TEXT    NOT NULL UNIQUE,
        seen INTEGER NOT NULL
    );
    CREATE TABLE series (
        id     INTEGER PRIMARY KEY,
        metric INTEGER NOT NULL,
        unit   INTEGER NOT NULL,
        UNIQUE (metric, unit)
    );
    CREATE TABLE chunk (
        level  INTEGER NOT NULL,
        series INTEGER NOT NULL,
        start  INTEGER NOT NULL,
        data   BLOB    NOT NULL,
        UNIQUE (level, series, start)
    );
    CREATE TABLE fresh (
        id   INTEGER PRIMARY KEY,
        data BLOB NOT NULL
    );
    PRAGMA user_version = 1;";

/// KiB of pages that each connection keeps.
const CACHE: i64 = 2048;

/// The database's file in its directory.
pub fn file(path: &Path) -> PathBuf {
    path.join("points.db")
}

/// A connection to a new database in memory.
pub fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The writer's connection to the database in a directory; what is missing is made.
pub fn open(path: &Path) -> Result<Connection, PointsError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        create_private(&file(path))
    };
    make().map_err(|e| io(path, "create the file of points", e))?;
    let failed = |e| classify(path, "open the file of points", e);
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let found: u32 = writer.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > FORMAT {
        return Err(PointsError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        let transaction = writer.transaction().map_err(failed)?;
        transaction.execute_batch(SCHEMA).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(writer)
}

/// A connection that reads.
pub fn reader(path: &Path) -> Result<Connection, PointsError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| classify(path, "open the file of points", e))
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file(path), access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    if access == OpenFlags::SQLITE_OPEN_READ_WRITE {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // After a burst the log shrinks again.
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    }
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

pub fn io(path: &Path, doing: &'static str, error: std::io::Error) -> PointsError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            PointsError::NoSpace { path: path.to_owned(), source: Arc::new(error) }
        }
        _ => PointsError::Io { doing, path: path.to_owned(), source: Arc::new(error) },
    }
}

/// Sorts SQLite's failures by what one can do about them.
pub fn classify(path: &Path, doing: &'static str, error: rusqlite::Error) -> PointsError {
    let path = path.to_owned();
    let inner = error.sqlite_error().copied();
    match inner.map(|e| (e.code, e.extended_code)) {
        Some((ErrorCode::DiskFull, _)) => PointsError::NoSpace { path, source: Arc::new(error) },
        // After a failed fsync the system may have dropped the pages, and a later fsync succeeds without them.
        Some((_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
            PointsError::Stopped { path, reason: "the disk did not confirm a write".into() }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
            PointsError::Stopped { path, reason: format!("it is damaged ({error})").into() }
        }
        _ => PointsError::Io { doing, path, source: Arc::new(error) },
    }
}

/// A directory for a copy, which must not be there yet, and the empty file in it, for its owner only.
pub fn open_empty(path: &Path) -> Result<(), PointsError> {
    if path.exists() {
        return Err(io(path, "copy points", std::io::ErrorKind::AlreadyExists.into()));
    }
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        create_private(&file(path))
    };
    make().map_err(|e| io(path, "copy points", e))
}
