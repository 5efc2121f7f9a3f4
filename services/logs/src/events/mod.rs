//! Log events: in the journal, in blocks, by stream and time.
//!
//! ```text
//! PutLogEvents ─► blocks of at most 256 KiB ─► journal, one commit with all that wait ─► durable
//!                 many small ones of a stream ─► one that is larger, in their place
//! GetLogEvents, FilterLogEvents ─► heads (names of blocks) ─► blocks that can have what is asked ─► a page
//! queries ─► all blocks of a time
//! ```
//! A block's name says what times it has, so that only blocks are read that have some of a time. Memory holds what is known
//! of streams that were used lately, and a page; never what is kept. docs/decisions/0027-logs.md.

mod block;
mod busy;
mod known;
mod page;
mod put;
mod scan;

pub use block::{Block, Event};
pub use known::StreamStats;
pub use page::{Found, Place};
pub use put::{New, put};
pub use scan::{Source, scan};

pub use busy::Reading;

use block::Head;
use busy::Busy;
use kiln_sealing::{Key, Zeroizing};
use kiln_service_kit::{Blocks, Cx, Error, Journal, Position, Scope, Timestamp};
use known::Known;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What log events are called in the journal.
pub(crate) const BLOCKS: Blocks = Blocks("logs/events");

/// What the service knows without the disk, shared by all calls; a part that the server installs.
#[derive(Clone, Default)]
pub struct Events(Arc<Inner>);

#[derive(Default)]
struct Inner {
    last: AtomicU64,
    known: Mutex<Known>,
    busy: Busy,
    /// Data keys that were opened, and when.
    keys: Mutex<HashMap<String, (Timestamp, Key)>>,
    /// The last minute of which a metric filter said something.
    said: Mutex<HashMap<(Scope, String), i64>>,
    /// Queries that run: what stops them, and how far they are.
    pub(crate) running: Mutex<HashMap<String, Arc<Running>>>,
}

/// A query that runs.
#[derive(Debug, Default)]
pub struct Running {
    pub stop: AtomicBool,
    pub scanned: AtomicU64,
    pub matched: AtomicU64,
    pub bytes: AtomicU64,
}

/// How long a data key is kept open. Source: CloudWatch Logs User Guide, "Encrypt log data using AWS KMS": a key's change
/// takes up to five minutes to have its effect.
const OPEN_FOR: i64 = 5 * 60 * 1000;
/// Metric filters whose last minute is known.
const MOST_SAID: usize = 10_000;
/// Data keys that are kept open.
const MOST_OPEN: usize = 1_000;

impl Events {
    /// Numbers for some events: greater than all that were given, also by an earlier process.
    fn numbers(&self, count: usize, now: Timestamp) -> u64 {
        let least = (now.millis().max(0) as u64) << 20;
        let count = count as u64;
        let advance = |last: u64| Some(last.max(least) + count);
        let advanced = self.0.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        // The closure always answers.
        advanced.unwrap_or(least).max(least)
    }

    /// Whether a metric filter has a value for a minute, or said its default already; from now on it has.
    pub fn said(&self, scope: &Scope, filter: &str, minute: i64, meant: bool) -> bool {
        let mut said = self.0.said.lock();
        if said.len() >= MOST_SAID {
            said.clear();
        }
        let last = said.entry((scope.clone(), filter.to_owned())).or_insert(i64::MIN);
        let known = *last >= minute;
        *last = (*last).max(minute);
        meant || known
    }

    /// A query that begins.
    pub fn begin(&self, id: &str) -> Arc<Running> {
        self.0.running.lock().entry(id.to_owned()).or_default().clone()
    }

    /// A query that runs here.
    pub fn running(&self, id: &str) -> Option<Arc<Running>> {
        self.0.running.lock().get(id).cloned()
    }

    /// A query that has ended.
    pub fn ended(&self, id: &str) {
        self.0.running.lock().remove(id);
    }

    /// A data key that was opened lately.
    pub fn open_key(&self, blob: &str, now: Timestamp) -> Option<Key> {
        let keys = self.0.keys.lock();
        let (opened, key) = keys.get(blob)?;
        (now.millis() - opened.millis() < OPEN_FOR).then(|| key.clone())
    }

    /// Keeps a data key open for a while.
    pub fn keep_key(&self, blob: &str, bytes: &Zeroizing<Vec<u8>>, now: Timestamp) -> Option<Key> {
        let key = Key::from_bytes(bytes)?;
        let mut keys = self.0.keys.lock();
        if keys.len() >= MOST_OPEN {
            keys.clear();
        }
        keys.insert(blob.to_owned(), (now, key.clone()));
        Some(key)
    }

    /// Somebody reads these streams. Blocks where small ones are being made one.
    pub fn reading<'b>(&'b self, streams: &'b [String]) -> Reading<'b> {
        self.0.busy.read(streams)
    }

    /// Forgets what is known of a stream: it is gone, or was changed without this.
    pub fn forget(&self, scope: &Scope, stream: &str) {
        self.0.known.lock().forget(scope, stream);
    }
}

/// Where blocks are, and how they are opened.
#[derive(Clone)]
pub struct Disk {
    pub journal: Journal,
    pub scope: Scope,
    /// Data keys of the group, by their numbers.
    pub keys: Vec<Key>,
}

impl Disk {
    /// The same for what needs no key.
    pub fn without_keys(cx: &Cx, scope: &Scope) -> Self {
        Self { journal: cx.history().journal().clone(), scope: scope.clone(), keys: vec![] }
    }

    /// The heads of a stream's blocks from a time on, in the order of their beginnings.
    fn heads(
        &self,
        stream: &str,
        between: &kiln_service_kit::Between,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<Head>, Error> {
        let positions = BLOCKS.positions(&self.journal, &self.scope, stream, between, backwards, limit)?;
        positions.into_iter().map(Head::of).collect()
    }

    fn block(&self, stream: &str, head: &Head) -> Result<Option<Block>, Error> {
        let from = head.position();
        let between = kiln_service_kit::Between { to: Some(from.next()), from: Some(from) };
        let found = BLOCKS.read(&self.journal, &self.scope, stream, &between, false, 1)?;
        // It may have been made one with others, or removed, meanwhile.
        found.into_iter().next().map(|(_, bytes)| self.open(stream, bytes)).transpose()
    }

    fn open(&self, stream: &str, bytes: Vec<u8>) -> Result<Block, Error> {
        let damaged = || Error::internal(format!("a block of log events of stream {stream} does not read as one"));
        match block::sealed_under(&bytes) {
            None => Block::read(bytes).ok_or_else(damaged),
            Some((number, sealed)) => {
                let key = self.keys.get(number).ok_or_else(damaged)?;
                let opened = key.open(stream.as_bytes(), sealed).ok_or_else(damaged)?;
                Block::read(opened.to_vec()).ok_or_else(damaged)
            }
        }
    }

    /// Does something with the disk, where others are not held up.
    pub async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if !self.journal.is_on_disk() {
            return work(self);
        }
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&own)).await;
        done.map_err(|e| Error::failed("work on log events", e))?
    }
}

impl Disk {
    /// Whether blocks of a stream begin a day before a time, so that all of them is before it.
    pub fn has_before(&self, stream: &str, time: i64) -> Result<bool, Error> {
        Ok(!self.heads(stream, &ending_before(time), false, 1)?.is_empty())
    }
}

/// Blocks that end before a time, whatever they have.
fn ending_before(time: i64) -> kiln_service_kit::Between {
    let to = Position::new(Timestamp::from_millis(time.saturating_sub(block::LONGEST).max(0)), "");
    kiln_service_kit::Between { from: None, to: Some(to) }
}

impl Events {
    /// Removes all events of a stream, or blocks that are before a time as a whole. Blocks for the disk.
    pub fn remove(&self, disk: &Disk, stream: &str, before: Option<i64>) -> Result<(), Error> {
        let between = before.map_or_else(kiln_service_kit::Between::default, ending_before);
        BLOCKS.remove(&disk.journal, &disk.scope, stream, &between)?;
        self.forget(&disk.scope, stream);
        Ok(())
    }
}
