//! The engines behind one trait.

use crate::Result;
use std::path::Path;
use std::sync::Arc;

pub type Entry = (Vec<u8>, Vec<u8>);

pub trait Engine: Send + Sync {
    /// All or nothing, durable on return.
    fn append(&self, entries: &[Entry]) -> Result<()>;
    /// Between two keys, both included.
    fn range(&self, from: &[u8], to: &[u8], backwards: bool, limit: usize) -> Result<Vec<Entry>>;
    fn remove(&self, from: &[u8], to: &[u8]) -> Result<()>;
}

#[cfg(not(any(feature = "fjall", feature = "redb", feature = "heed", feature = "sqlite")))]
pub fn open(_: &Path) -> Result<Arc<dyn Engine>> {
    Err("built without an engine".into())
}

#[cfg(feature = "fjall")]
pub use of_fjall::open;
#[cfg(feature = "heed")]
pub use of_heed::open;
#[cfg(feature = "redb")]
pub use of_redb::open;
#[cfg(feature = "sqlite")]
pub use of_sqlite::open;

#[cfg(feature = "fjall")]
mod of_fjall {
    use super::*;
    use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

    struct Fjall(Database, Keyspace);

    pub fn open(dir: &Path) -> Result<Arc<dyn Engine>> {
        let database =
            Database::builder(dir).cache_size(8 << 20).max_journaling_size(64 << 20).worker_threads(1).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(4 << 20);
        let keyspace = database.keyspace("entries", options)?;
        Ok(Arc::new(Fjall(database, keyspace)))
    }

    impl Engine for Fjall {
        fn append(&self, entries: &[Entry]) -> Result<()> {
            let mut batch = self.0.batch().durability(Some(PersistMode::SyncData));
            for (key, value) in entries {
                batch.insert(&self.1, key.as_slice(), value.as_slice());
            }
            Ok(batch.commit()?)
        }
        fn range(&self, from: &[u8], to: &[u8], backwards: bool, limit: usize) -> Result<Vec<Entry>> {
            let range = self.1.range(from..=to);
            let take = |guard: fjall::Guard| -> Result<Entry> {
                let (key, value) = guard.into_inner()?;
                Ok((key.to_vec(), value.to_vec()))
            };
            match backwards {
                true => range.rev().take(limit).map(take).collect(),
                false => range.take(limit).map(take).collect(),
            }
        }
        fn remove(&self, from: &[u8], to: &[u8]) -> Result<()> {
            let mut batch = self.0.batch().durability(Some(PersistMode::SyncData));
            for guard in self.1.range(from..=to) {
                batch.remove(&self.1, guard.key()?);
            }
            Ok(batch.commit()?)
        }
    }
}

#[cfg(feature = "redb")]
mod of_redb {
    use super::*;
    use redb::{Database, ReadableDatabase, TableDefinition};

    const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");

    struct Redb(Database);

    pub fn open(dir: &Path) -> Result<Arc<dyn Engine>> {
        std::fs::create_dir_all(dir)?;
        let database = redb::Builder::new().set_cache_size(8 << 20).create(dir.join("journal.redb"))?;
        let write = database.begin_write()?;
        write.open_table(TABLE)?;
        write.commit()?;
        Ok(Arc::new(Redb(database)))
    }

    impl Engine for Redb {
        fn append(&self, entries: &[Entry]) -> Result<()> {
            let write = self.0.begin_write()?;
            {
                let mut table = write.open_table(TABLE)?;
                for (key, value) in entries {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
            }
            Ok(write.commit()?)
        }
        fn range(&self, from: &[u8], to: &[u8], backwards: bool, limit: usize) -> Result<Vec<Entry>> {
            let table = self.0.begin_read()?.open_table(TABLE)?;
            let range = table.range(from..=to)?;
            let mut found = vec![];
            let all: Box<dyn Iterator<Item = _>> = if backwards { Box::new(range.rev()) } else { Box::new(range) };
            for entry in all.take(limit) {
                let (key, value) = entry?;
                found.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(found)
        }
        fn remove(&self, from: &[u8], to: &[u8]) -> Result<()> {
            let write = self.0.begin_write()?;
            write.open_table(TABLE)?.retain_in(from..=to, |_, _| false)?;
            Ok(write.commit()?)
        }
    }
}

#[cfg(feature = "heed")]
mod of_heed {
    use super::*;
    use heed::types::Bytes;
    use heed::{Database, Env, EnvOpenOptions};
    use std::ops::Bound;

    struct Heed(Env, Database<Bytes, Bytes>);

    pub fn open(dir: &Path) -> Result<Arc<dyn Engine>> {
        std::fs::create_dir_all(dir)?;
        // SAFETY: nobody else maps the file.
        let env = unsafe { EnvOpenOptions::new().map_size(64 << 30).open(dir)? };
        let mut write = env.write_txn()?;
        let database = env.create_database(&mut write, None)?;
        write.commit()?;
        Ok(Arc::new(Heed(env, database)))
    }

    impl Engine for Heed {
        fn append(&self, entries: &[Entry]) -> Result<()> {
            let mut write = self.0.write_txn()?;
            for (key, value) in entries {
                self.1.put(&mut write, key, value)?;
            }
            Ok(write.commit()?)
        }
        fn range(&self, from: &[u8], to: &[u8], backwards: bool, limit: usize) -> Result<Vec<Entry>> {
            let read = self.0.read_txn()?;
            let bounds = (Bound::Included(from), Bound::Included(to));
            let take = |entry: heed::Result<(&[u8], &[u8])>| -> Result<Entry> {
                let (key, value) = entry?;
                Ok((key.to_vec(), value.to_vec()))
            };
            match backwards {
                true => self.1.rev_range(&read, &bounds)?.take(limit).map(take).collect(),
                false => self.1.range(&read, &bounds)?.take(limit).map(take).collect(),
            }
        }
        fn remove(&self, from: &[u8], to: &[u8]) -> Result<()> {
            let mut write = self.0.write_txn()?;
            self.1.delete_range(&mut write, &(Bound::Included(from), Bound::Included(to)))?;
            Ok(write.commit()?)
        }
    }
}

/// As `journal/src/disk.rs` keeps entries: names of streams once, values in a table with row ids.
#[cfg(feature = "sqlite")]
mod of_sqlite {
    use super::*;
    use rusqlite::{Connection, OptionalExtension, params};
    use std::sync::Mutex;

    struct Sqlite {
        writer: Mutex<Connection>,
        reader: Mutex<Connection>,
    }

    pub fn open(dir: &Path) -> Result<Arc<dyn Engine>> {
        std::fs::create_dir_all(dir)?;
        let connect = || -> Result<Connection> {
            let connection = Connection::open(dir.join("journal.db"))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -2048)?;
            connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
            Ok(connection)
        };
        let writer = connect()?;
        writer.execute_batch(
            "CREATE TABLE IF NOT EXISTS stream (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
             CREATE TABLE IF NOT EXISTS entry
             (stream INTEGER NOT NULL, position BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (stream, position))",
        )?;
        let reader = connect()?;
        Ok(Arc::new(Sqlite { writer: Mutex::new(writer), reader: Mutex::new(reader) }))
    }

    /// The key's stream, and the number behind it.
    fn parts(key: &[u8]) -> (&[u8], &[u8]) {
        key.split_at(key.len() - 8)
    }

    impl Engine for Sqlite {
        fn append(&self, entries: &[Entry]) -> Result<()> {
            let mut writer = self.writer.lock().unwrap();
            let transaction = writer.transaction()?;
            {
                let mut find = transaction.prepare_cached("SELECT id FROM stream WHERE name = ?1")?;
                let mut make = transaction.prepare_cached("INSERT INTO stream (name) VALUES (?1)")?;
                let mut put = transaction.prepare_cached(
                    "INSERT INTO entry (stream, position, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (stream, position) DO UPDATE SET value = excluded.value",
                )?;
                for (key, value) in entries {
                    let (stream, position) = parts(key);
                    let id = match find.query_row([stream], |row| row.get(0)).optional()? {
                        Some(id) => id,
                        None => make.insert([stream])?,
                    };
                    put.execute(params![id, position, value])?;
                }
            }
            Ok(transaction.commit()?)
        }
        fn range(&self, from: &[u8], to: &[u8], backwards: bool, limit: usize) -> Result<Vec<Entry>> {
            let ((stream, first), (_, last)) = (parts(from), parts(to));
            let order = if backwards { "DESC" } else { "ASC" };
            let reader = self.reader.lock().unwrap();
            let mut statement = reader.prepare_cached(&format!(
                "SELECT position, value FROM entry WHERE stream = (SELECT id FROM stream WHERE name = ?1)
                 AND position >= ?2 AND position <= ?3 ORDER BY position {order} LIMIT ?4"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![stream, first, last, limit], |row| {
                Ok(([stream, row.get_ref(0)?.as_blob()?].concat(), row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<Entry>>>()?)
        }
        fn remove(&self, from: &[u8], to: &[u8]) -> Result<()> {
            let ((stream, first), (_, last)) = (parts(from), parts(to));
            let writer = self.writer.lock().unwrap();
            let sql = "DELETE FROM entry WHERE stream = (SELECT id FROM stream WHERE name = ?1)
                       AND position >= ?2 AND position <= ?3";
            writer.prepare_cached(sql)?.execute(params![stream, first, last])?;
            Ok(())
        }
    }
}
