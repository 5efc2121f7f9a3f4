//! The tables of messages, and what every piece of work on them shares.
//!
//! Nothing here looks at more rows than it takes: what can be received stands at the beginning of an index, the messages
//! of a group and the groups that have one ready likewise. How many there are of each kind is counted once for a queue,
//! when it is first asked for, and kept up from then on.

use super::waiters::Brought;
use super::{MessagesError, QueueNumber, Seq};
use kiln_sealing::Key;
use kiln_service_kit::{IdSource, Timestamp};
use kiln_store::create_private;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the tables are like; a file with a greater number is from a newer kiln.
const FORMAT: u32 = 2;

/// KiB of pages that are kept.
const CACHE: i64 = 4096;

/// Waits to be received.
pub(super) const WAITS: i64 = 0;
/// Received, and invisible until `at`.
pub(super) const IN_FLIGHT: i64 = 1;
/// Sent, and invisible until `at`.
pub(super) const DELAYED: i64 = 2;

/// Rows that one piece of work changes on the side: others wait meanwhile.
pub(super) const SOME: usize = 1_000;

/// What never changes of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: String,
    pub body: String,
    /// Of the body, in hex.
    pub md5: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// Who sent it, as IAM's user id.
    pub sender: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<String>,
    /// Lies sealed on the disk.
    #[serde(skip)]
    pub sealed: bool,
}

/// What sealed data begin with; others are JSON.
const SEALED: u8 = 1;

/// What they are bound to.
const BOUND: &[u8] = b"sqs/message";
impl Kept {
    /// Bytes that count: of the body, and of names, types and values of attributes.
    pub fn size(&self) -> usize {
        let of = |attribute: &Attribute| {
            let text = attribute.text.as_ref().map_or(0, String::len);
            let binary = attribute.binary.as_ref().map_or(0, |text| text.trim_end_matches('=').len() * 3 / 4);
            attribute.kind.len() + text + binary
        };
        self.body.len() + self.attributes.iter().map(|(name, value)| name.len() + of(value)).sum::<usize>()
    }
}

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub waiting: i64,
    pub in_flight: i64,
    pub delayed: i64,
}

impl Counts {
    fn of(&mut self, state: i64) -> &mut i64 {
        match state {
            WAITS => &mut self.waiting,
            IN_FLIGHT => &mut self.in_flight,
            _ => &mut self.delayed,
        }
    }
}

/// What is known of a queue without looking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Milliseconds.
    pub retention: i64,
    pub counts: Counts,
}

/// A message's place, with what moving it needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub queue: QueueNumber,
    pub seq: Seq,
    pub state: i64,
    pub sent: i64,
    pub grp: Option<i64>,
}

impl Place {
    pub const COLUMNS: &'static str = "queue, seq, state, sent, grp";

    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { queue: row.get(0)?, seq: row.get(1)?, state: row.get(2)?, sent: row.get(3)?, grp: row.get(4)? })
    }
}

/// The tables.
pub struct Table {
    pub(super) db: Connection,
    /// Under which the messages of queues with `SqsManagedSseEnabled` are sealed.
    key: Key,
    ids: IdSource,
    path: PathBuf,
    known: HashMap<QueueNumber, Known>,
    last: Seq,
    woken: HashMap<QueueNumber, Brought>,
}

impl Table {
    /// Opens the file in a folder, and makes what is missing.
    pub(super) fn open(folder: &Path, now: Timestamp, key: Key) -> Result<Self, MessagesError> {
        create(folder)?;
        let path = file(folder);
        let failed = |e| MessagesError::of(&path, "open", e);
        let db = connect(&path).map_err(failed)?;
        Self::with(db, path.clone(), now, (key, IdSource::from_os()))
    }

    pub(super) fn in_memory() -> Result<Self, MessagesError> {
        let path = PathBuf::from("memory");
        let db = Connection::open_in_memory().map_err(|e| MessagesError::of(&path, "open", e))?;
        let ids = IdSource::seeded(0);
        Self::with(db, path, Timestamp::from_millis(0), (Key::new(&ids), ids))
    }

    fn with(
        mut db: Connection,
        path: PathBuf,
        now: Timestamp,
        (key, ids): (Key, IdSource),
    ) -> Result<Self, MessagesError> {
        let failed = |e| MessagesError::of(&path, "open", e);
        db.set_prepared_statement_cache_capacity(64);
        let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found > FORMAT {
            return Err(MessagesError::Newer { path, found, known: FORMAT });
        }
        if found == 0 {
            let transaction = db.transaction().map_err(failed)?;
            transaction.execute_batch(include_str!("schema.sql")).map_err(failed)?;
            transaction.commit().map_err(failed)?;
        }
        // An earlier kiln does not read what is sealed.
        if found < FORMAT {
            db.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
        }
        let greatest = "SELECT max(coalesce((SELECT max(seq) FROM body), 0), coalesce((SELECT max(seq) FROM sent), 0))";
        let last: Seq = db.query_row(greatest, [], |row| row.get(0)).map_err(failed)?;
        let mut table = Self { db, key, ids, path, known: HashMap::new(), last, woken: HashMap::new() };
        table.advance(now.millis());
        Ok(table)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs work in a transaction: all of it is durable, or none of it was done. With it, who is to be woken.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> (Result<T, MessagesError>, HashMap<QueueNumber, Brought>) {
        let run = |table: &mut Self| {
            table.db.execute_batch("BEGIN IMMEDIATE")?;
            let done = work(table)?;
            table.db.execute_batch("COMMIT")?;
            Ok(done)
        };
        match run(self) {
            Ok(done) => (Ok(done), std::mem::take(&mut self.woken)),
            Err(error) => {
                self.woken.clear();
                // What was counted may be of what was taken back.
                self.known.clear();
                // Some failures have rolled back already.
                if !self.db.is_autocommit()
                    && let Err(error) = self.db.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "a transaction on messages was not rolled back");
                }
                (Err(MessagesError::of(&self.path, "write", error)), HashMap::new())
            }
        }
    }

    /// Says that messages of a queue can be received.
    pub(super) fn brought(&mut self, queue: QueueNumber, messages: u32) {
        let known = &mut self.woken.entry(queue).or_default().messages;
        *known = known.saturating_add(messages);
    }

    /// Says that a message of a queue becomes visible at a time.
    pub(super) fn due(&mut self, queue: QueueNumber, at: i64) {
        let due = &mut self.woken.entry(queue).or_default().due;
        *due = Some(due.map_or(at, |known| known.min(at)));
    }

    /// No number is given twice, though the file forgets those of what is gone: the time is in it, with room for a
    /// million in each millisecond.
    fn advance(&mut self, now: i64) {
        self.last = self.last.max(now << 20);
    }

    /// The next sequence number.
    pub(super) fn next(&mut self, now: i64) -> Seq {
        self.advance(now);
        self.last += 1;
        self.last
    }

    /// What is known of a queue; none where there is no such queue.
    pub(super) fn known(&mut self, queue: QueueNumber) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.known.get(&queue) {
            return Ok(Some(*known));
        }
        let retention = "SELECT retention FROM queue WHERE number = ?1";
        let retention: Option<i64> =
            self.db.prepare_cached(retention)?.query_row([queue], |row| row.get(0)).optional()?;
        let Some(retention) = retention else { return Ok(None) };
        let mut counts = Counts::default();
        {
            let count = "SELECT state, count(*) FROM message WHERE queue = ?1 GROUP BY state";
            let mut count = self.db.prepare_cached(count)?;
            let mut rows = count.query([queue])?;
            while let Some(row) = rows.next()? {
                *counts.of(row.get(0)?) = row.get(1)?;
            }
        }
        let known = Known { retention, counts };
        self.known.insert(queue, known);
        Ok(Some(known))
    }

    pub(super) fn known_no_more(&mut self, queue: QueueNumber) {
        self.known.remove(&queue);
    }

    pub(super) fn count(&mut self, queue: QueueNumber, state: i64, change: i64) {
        // One that was not asked for yet is counted when it is.
        if let Some(known) = self.known.get_mut(&queue) {
            *known.counts.of(state) += change;
        }
    }

    /// Makes a queue known, or its retention another.
    pub fn put_queue(&mut self, queue: QueueNumber, retention: i64) -> rusqlite::Result<()> {
        let put = "INSERT INTO queue (number, retention) VALUES (?1, ?2)
                   ON CONFLICT (number) DO UPDATE SET retention = excluded.retention";
        self.db.prepare_cached(put)?.execute(params![queue, retention])?;
        if let Some(known) = self.known.get_mut(&queue) {
            known.retention = retention;
        }
        Ok(())
    }

    /// How many messages a queue has of each kind, at a time; none where there is no such queue. Of a FIFO queue,
    /// whose delay is the queue's, those wait that were sent since `fifo_since` are delayed.
    pub fn counts(
        &mut self,
        queue: QueueNumber,
        now: i64,
        fifo_since: Option<i64>,
    ) -> rusqlite::Result<Option<Counts>> {
        // 120,000 may be in flight, and as many have become visible since anybody looked; more delayed ones.
        while self.settle(queue, now, SOME)? || self.expire(queue, now, SOME)? {}
        let Some(known) = self.known(queue)? else { return Ok(None) };
        let mut counts = known.counts;
        if let Some(since) = fifo_since {
            let young = "SELECT count(*) FROM message WHERE queue = ?1 AND state = ?2 AND at > ?3";
            let young: i64 =
                self.db.prepare_cached(young)?.query_row(params![queue, WAITS, since], |row| row.get(0))?;
            counts.waiting -= young;
            counts.delayed += young;
        }
        Ok(Some(counts))
    }

    /// When the oldest message of a queue was sent, whether it can be received now or not.
    pub fn oldest(&self, queue: QueueNumber) -> rusqlite::Result<Option<i64>> {
        let first = "SELECT sent FROM message WHERE queue = ?1 ORDER BY seq LIMIT 1";
        self.db.prepare_cached(first)?.query_row([queue], |row| row.get(0)).optional()
    }

    /// Lets what is due become visible, at most so much of it; whether there is more.
    pub(super) fn settle(&mut self, queue: QueueNumber, now: i64, most: usize) -> rusqlite::Result<bool> {
        let Some(Known { counts, .. }) = self.known(queue)? else { return Ok(false) };
        let mut more = false;
        for (state, count) in [(IN_FLIGHT, counts.in_flight), (DELAYED, counts.delayed)] {
            if count == 0 {
                continue;
            }
            let due = self.places("state = ?2 AND at <= ?3 ORDER BY at", queue, state, now, most)?;
            more |= due.len() == most;
            for place in due {
                self.becomes_visible(place)?;
            }
        }
        Ok(more)
    }

    /// Removes what is older than the queue keeps it, at most so much; whether there is more.
    pub(super) fn expire(&mut self, queue: QueueNumber, now: i64, most: usize) -> rusqlite::Result<bool> {
        let Some(Known { retention, counts }) = self.known(queue)? else { return Ok(false) };
        if counts.waiting == 0 {
            return Ok(false);
        }
        let old = self.places("state = ?2 AND at <= ?3 ORDER BY at", queue, WAITS, now - retention, most)?;
        let more = old.len() == most;
        for place in old {
            self.remove(place)?;
        }
        Ok(more)
    }

    fn places(
        &mut self,
        which: &str,
        queue: QueueNumber,
        state: i64,
        at: i64,
        most: usize,
    ) -> rusqlite::Result<Vec<Place>> {
        let sql = format!("SELECT {} FROM message WHERE queue = ?1 AND {which} LIMIT ?4", Place::COLUMNS);
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params![queue, state, at, most as i64], Place::read)?;
        rows.collect()
    }

    /// A message that was delayed or in flight waits again, in its old place.
    pub(super) fn becomes_visible(&mut self, place: Place) -> rusqlite::Result<()> {
        let Place { queue, seq, state, sent, grp } = place;
        let set = "UPDATE message SET state = ?3, at = ?4 WHERE queue = ?1 AND seq = ?2";
        self.db.prepare_cached(set)?.execute(params![queue, seq, WAITS, sent])?;
        self.count(queue, state, -1);
        self.count(queue, WAITS, 1);
        match (grp, state) {
            (Some(grp), IN_FLIGHT) => self.in_flight_less(queue, grp),
            _ => {
                self.brought(queue, 1);
                Ok(())
            }
        }
    }

    /// One message less of a group is in flight.
    pub(super) fn in_flight_less(&mut self, queue: QueueNumber, grp: i64) -> rusqlite::Result<()> {
        let less = "UPDATE grp SET in_flight = in_flight - 1 WHERE id = ?1";
        self.db.prepare_cached(less)?.execute([grp])?;
        self.brought(queue, 1);
        Ok(())
    }

    /// Takes a message out, with its body.
    pub(super) fn remove(&mut self, place: Place) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM body WHERE seq = ?1")?.execute([place.seq])?;
        self.take(place)
    }

    /// Takes a message out, and leaves its body to who moves it.
    pub(super) fn take(&mut self, place: Place) -> rusqlite::Result<()> {
        let Place { queue, seq, state, grp, .. } = place;
        self.db.prepare_cached("DELETE FROM message WHERE queue = ?1 AND seq = ?2")?.execute([queue, seq])?;
        self.count(queue, state, -1);
        let Some(grp) = grp else { return Ok(()) };
        let first = "SELECT min(seq) FROM message WHERE grp = ?1";
        let first: Option<Seq> = self.db.prepare_cached(first)?.query_row([grp], |row| row.get(0))?;
        match first {
            None => {
                self.db.prepare_cached("DELETE FROM grp WHERE id = ?1")?.execute([grp])?;
            }
            Some(first) => {
                let flew = i64::from(state == IN_FLIGHT);
                let set = "UPDATE grp SET head = ?2, in_flight = in_flight - ?3 WHERE id = ?1";
                self.db.prepare_cached(set)?.execute(params![grp, first, flew])?;
                self.brought(queue, 1);
            }
        }
        Ok(())
    }

    /// The group of that name, which is made with a message as its first.
    pub(super) fn group(&mut self, queue: QueueNumber, name: &str, seq: Seq) -> rusqlite::Result<i64> {
        let find = "SELECT id FROM grp WHERE queue = ?1 AND name = ?2";
        let found = self.db.prepare_cached(find)?.query_row(params![queue, name], |row| row.get(0)).optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        let make = "INSERT INTO grp (queue, name, head) VALUES (?1, ?2, ?3)";
        self.db.prepare_cached(make)?.insert(params![queue, name, seq])
    }

    /// What never changes of a message.
    pub(super) fn kept(&self, seq: Seq) -> rusqlite::Result<Kept> {
        let find = "SELECT data FROM body WHERE seq = ?1";
        self.db.prepare_cached(find)?.query_row([seq], |row| {
            let data = row.get_ref(0)?.as_blob()?;
            let [SEALED, sealed @ ..] = data else { return serde_json::from_slice(data).map_err(unread) };
            let opened = self.key.open(BOUND, sealed).ok_or_else(|| unread("it does not open with root.key"))?;
            Ok(Kept { sealed: true, ..serde_json::from_slice(&opened).map_err(unread)? })
        })
    }

    /// What is kept, as it lies on the disk.
    pub(super) fn data(&self, kept: &Kept) -> rusqlite::Result<Vec<u8>> {
        let json = serde_json::to_vec(kept).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        if !kept.sealed {
            return Ok(json);
        }
        let mut data = vec![SEALED];
        data.extend(self.key.seal(&self.ids, BOUND, &json));
        Ok(data)
    }

    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), MessagesError> {
        create_folder(folder)?;
        let to = file(folder);
        let copied = self.db.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied.map(drop).map_err(|e| MessagesError::of(&to, "copy messages to", e))
    }
}

/// A message's data that are none.
fn unread(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, why.into())
}

/// Copies a file that is in use, as it is at one moment. A connection of its own: nobody waits for it.
pub(super) fn copy(path: &Path, folder: &Path) -> Result<(), MessagesError> {
    create_folder(folder)?;
    let to = file(folder);
    let copied = || {
        let source = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        source.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop)
    };
    copied().map_err(|e| MessagesError::of(&to, "copy messages to", e))?;
    let synced = || {
        File::open(&to)?.sync_all()?;
        File::open(folder)?.sync_all()
    };
    synced().map_err(|e| MessagesError::File { doing: "copy messages to", path: to.clone(), source: Arc::new(e) })
}

fn file(folder: &Path) -> PathBuf {
    folder.join("messages.db")
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // After a burst the log shrinks again.
    db.pragma_update(None, "journal_size_limit", 16 << 20)?;
    db.pragma_update(None, "cache_size", -CACHE)?;
    Ok(db)
}

fn create_folder(folder: &Path) -> Result<(), MessagesError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| MessagesError::File { doing: "create", path: folder.to_owned(), source: Arc::new(e) })
}

/// Makes the folder and the file in it before SQLite does, for their owner only.
fn create(folder: &Path) -> Result<(), MessagesError> {
    create_folder(folder)?;
    let path = file(folder);
    create_private(&path).map_err(|e| MessagesError::File { doing: "create", path, source: Arc::new(e) })
}
