//! The engine on disk: SQLite, in a file of its own beside the store's.
//!
//! WAL with `synchronous=FULL`: one `fsync` a commit. Two connections, so that a reader does not wait for the
//! disk behind a writer; each has a page cache of fixed size and nothing else grows with what is kept. A stream's
//! name stands once, in a table of its own. Values are in a table with row ids: in one without, long values would
//! make the tree's inner pages, and so the way down, long.

use crate::JournalError;
use crate::engine::{Engine, Found, Item, Range};
use kiln_store::create_private;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ffi, params};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// What the tables are like; a journal with a greater number is from a newer kiln.
const FORMAT: u32 = 1;

const SCHEMA: &str = "
    CREATE TABLE stream (
        id   INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE entry (
        stream   INTEGER NOT NULL,
        position TEXT    NOT NULL,
        value    BLOB    NOT NULL,
        UNIQUE (stream, position)
    );
    PRAGMA user_version = 1;";

/// KiB of pages that each connection keeps.
const CACHE: i64 = 2048;

/// Rows that one transaction of a removal takes out: others append in between.
const REMOVED_AT_ONCE: usize = 2_000;

/// The greatest text: behind every position.
const BEHIND_ALL: &str = "\u{10ffff}";

struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Why nothing more is written. It is set before the writer goes to the next, which could seem to succeed.
    stopped: OnceLock<JournalError>,
}

impl Sqlite {
    /// Does something to the file, unless what is in it is in doubt.
    fn write<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut writer = self.writer.lock();
        match self.stopped.get() {
            Some(stopped) => Err(stopped.clone()),
            None => work(&mut writer).map_err(|e| self.noted(doing, e)),
        }
    }

    /// A failure in the journal's words. From one that leaves what is on disk in doubt on, nothing more is written.
    fn noted(&self, doing: &'static str, error: rusqlite::Error) -> JournalError {
        let error = classify(&self.path, doing, error);
        if matches!(error, JournalError::Stopped { .. }) {
            self.stopped.get_or_init(|| error.clone());
        }
        error
    }
}

/// The database's file in a journal's directory.
fn file(path: &Path) -> PathBuf {
    path.join("journal.db")
}

/// Opens the journal in a directory, and makes what is missing.
pub fn open(path: &Path) -> Result<impl Engine, JournalError> {
    open_with(path, |_| Ok(()))
}

/// The same, with something done to the writer's connection first.
pub(crate) fn open_with(
    path: &Path,
    prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<impl Engine, JournalError> {
    create(path)?;
    let failed = |e| classify(path, "open the journal", e);
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    prepare(&writer).map_err(failed)?;
    let found: u32 = writer.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > FORMAT {
        return Err(JournalError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        let transaction = writer.transaction().map_err(failed)?;
        transaction.execute_batch(SCHEMA).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
    Ok(Sqlite { path: path.to_owned(), writer, reader, stopped: OnceLock::new() })
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
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

impl Engine for Sqlite {
    fn append(&self, items: &[Item]) -> Result<(), JournalError> {
        self.write("write the journal", |writer| write(writer, items))
    }

    fn read(&self, stream: &str, range: &Range, backwards: bool, limit: usize) -> Result<Found, JournalError> {
        let order = if backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT position, value FROM entry WHERE stream = (SELECT id FROM stream WHERE name = ?1)
             AND position >= ?2 AND position < ?3 ORDER BY position {order} LIMIT ?4"
        );
        let reader = self.reader.lock();
        let read = || {
            let mut statement = reader.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![stream, range.first(), range.behind(), limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            rows.collect::<rusqlite::Result<Found>>()
        };
        read().map_err(|e| self.noted("read the journal", e))
    }

    fn positions(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<String>, JournalError> {
        let order = if backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT position FROM entry WHERE stream = (SELECT id FROM stream WHERE name = ?1)
             AND position >= ?2 AND position < ?3 ORDER BY position {order} LIMIT ?4"
        );
        let reader = self.reader.lock();
        let read = || {
            let mut statement = reader.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![stream, range.first(), range.behind(), limit], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        };
        read().map_err(|e| self.noted("read the journal", e))
    }

    fn replace(&self, stream: &str, gone: &[String], items: &[Item]) -> Result<(), JournalError> {
        self.write("write the journal", |writer| {
            let transaction = writer.transaction()?;
            {
                let mut take = transaction.prepare_cached(
                    "DELETE FROM entry WHERE stream = (SELECT id FROM stream WHERE name = ?1) AND position = ?2",
                )?;
                for position in gone {
                    take.execute(params![stream, position])?;
                }
            }
            put(&transaction, items)?;
            transaction.commit()
        })
    }

    fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, JournalError> {
        let reader = self.reader.lock();
        let read = || {
            let mut statement =
                reader.prepare_cached("SELECT name FROM stream WHERE name > ?1 ORDER BY name LIMIT ?2")?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut names: Vec<String> =
                statement.query_map(params![after.max(prefix), limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
            names.retain(|name| name.starts_with(prefix));
            Ok(names)
        };
        read().map_err(|e| self.noted("read the journal", e))
    }

    fn remove(&self, stream: &str, range: &Range) -> Result<(), JournalError> {
        loop {
            let removed = self.write("remove from the journal", |writer| remove_some(writer, stream, range))?;
            if removed < REMOVED_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn size(&self) -> Result<u64, JournalError> {
        let mut bytes = 0;
        let entries = std::fs::read_dir(&self.path).map_err(|e| failed(&self.path, "read the size of", e))?;
        for entry in entries {
            let meta =
                entry.and_then(|entry| entry.metadata()).map_err(|e| failed(&self.path, "read the size of", e))?;
            bytes += meta.len();
        }
        Ok(bytes)
    }

    fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        if path.exists() {
            let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(failed(path, "copy the journal to", there));
        }
        create(path)?;
        // A connection of its own: what it reads is of one moment, and nobody waits for it.
        let copy = || {
            let source = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            source.execute("VACUUM INTO ?1", [file(path).to_string_lossy()])
        };
        copy().map_err(|e| classify(path, "copy the journal to", e))?;
        sync(&file(path)).and_then(|()| sync(path)).map_err(|e| failed(path, "copy the journal to", e))
    }
}

impl Range {
    fn first(&self) -> &str {
        self.from.as_deref().unwrap_or("")
    }
    fn behind(&self) -> &str {
        self.to.as_deref().unwrap_or(BEHIND_ALL)
    }
}

fn write(writer: &mut Connection, items: &[Item]) -> rusqlite::Result<()> {
    // Dropped without commit, it rolls back.
    let transaction = writer.transaction()?;
    put(&transaction, items)?;
    transaction.commit()
}

fn put(transaction: &Connection, items: &[Item]) -> rusqlite::Result<()> {
    let mut find = transaction.prepare_cached("SELECT id FROM stream WHERE name = ?1")?;
    let mut make = transaction.prepare_cached("INSERT INTO stream (name) VALUES (?1)")?;
    let mut put = transaction.prepare_cached(
        "INSERT INTO entry (stream, position, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (stream, position) DO UPDATE SET value = excluded.value",
    )?;
    let mut last: Option<(&str, i64)> = None;
    for Item { stream, position, value } in items {
        let id = match last {
            Some((name, id)) if name == stream => id,
            _ => match find.query_row([stream], |row| row.get(0)).optional()? {
                Some(id) => id,
                None => make.insert([stream])?,
            },
        };
        last = Some((stream, id));
        put.execute(params![id, position, value])?;
    }
    Ok(())
}

/// Takes some rows out, and the stream when nothing is left in it; how many.
fn remove_some(writer: &mut Connection, stream: &str, range: &Range) -> rusqlite::Result<usize> {
    let transaction = writer.transaction()?;
    let id: Option<i64> =
        transaction.query_row("SELECT id FROM stream WHERE name = ?1", [stream], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(0) };
    let removed = transaction
        .prepare_cached(
            "DELETE FROM entry WHERE rowid IN
             (SELECT rowid FROM entry WHERE stream = ?1 AND position >= ?2 AND position < ?3 LIMIT ?4)",
        )?
        .execute(params![id, range.first(), range.behind(), REMOVED_AT_ONCE as i64])?;
    transaction
        .prepare_cached("DELETE FROM stream WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM entry WHERE stream = ?1)")?
        .execute([id])?;
    transaction.commit()?;
    Ok(removed)
}

/// Makes the directory and the file in it before SQLite does, for their owner only: what happened tells secrets.
fn create(path: &Path) -> Result<(), JournalError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        create_private(&file(path))
    };
    make().map_err(|e| failed(path, "create the journal", e))
}

fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

fn failed(path: &Path, doing: &'static str, error: std::io::Error) -> JournalError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            JournalError::NoSpace { path: path.to_owned(), source: Arc::new(error) }
        }
        _ => JournalError::Io { doing, path: path.to_owned(), source: Arc::new(error) },
    }
}

/// Sorts SQLite's failures by what one can do about them.
fn classify(path: &Path, doing: &'static str, error: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    let inner = error.sqlite_error().copied();
    match inner.map(|e| (e.code, e.extended_code)) {
        Some((ErrorCode::DiskFull, _)) => JournalError::NoSpace { path, source: Arc::new(error) },
        // After a failed fsync the system may have dropped the pages, and a later fsync succeeds without them:
        // nothing more can be promised until the file has been read afresh.
        Some((_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
            JournalError::Stopped { path, reason: "the disk did not confirm a write".into() }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
            JournalError::Stopped { path, reason: format!("it is damaged ({error})").into() }
        }
        _ => JournalError::Io { doing, path, source: Arc::new(error) },
    }
}
