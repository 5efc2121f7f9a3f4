//! What the store's handles, its transactions and its writer thread share: what is durable, what waits to be, and
//! who is told.

use crate::counted::Readers;
use crate::history::History;
use crate::memory::Memory;
use crate::queue::{Head, Prepared};
use crate::unread::Unreads;
use crate::{Commit, StoreError};
use kiln_clock::Clock;
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast;

/// How many commits a slow reader of the live feed may fall behind before it is told that it
/// lagged (and reads on with [`Store::changes_since`](crate::Store::changes_since)).
const FEED_LENGTH: usize = 4096;

/// Locks are taken in this order: head, memory.
pub(crate) struct Shared {
    pub clock: Clock,
    /// Where it is durable, for errors.
    pub place: Arc<str>,
    /// Whether a written record is kept as it reads back from its JSON.
    pub reread: bool,
    /// What is durable. Changes only under the head's lock.
    pub memory: RwLock<Memory>,
    pub head: Mutex<Head>,
    pub wake: Condvar,
    /// The last durable sequence.
    pub sequence: AtomicU64,
    pub disk_commits: AtomicU64,
    pub disk_nanoseconds: AtomicU64,
    pub transactions: AtomicU64,
    pub readers: Readers,
    pub unread: Unreads,
    pub feed: broadcast::Sender<Arc<Commit>>,
    pub history: History,
}

impl Shared {
    pub fn new(clock: Clock, sequence: u64, history: History) -> Shared {
        Shared {
            clock,
            place: "memory".into(),
            reread: true,
            memory: RwLock::default(),
            head: Mutex::new(Head::new(sequence)),
            wake: Condvar::new(),
            sequence: AtomicU64::new(sequence),
            disk_commits: AtomicU64::new(0),
            disk_nanoseconds: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            readers: Readers::default(),
            unread: Unreads::default(),
            feed: broadcast::channel(FEED_LENGTH).0,
            history,
        }
    }

    /// Makes a durable transaction visible and tells the feed. The caller holds the head.
    pub fn apply(&self, prepared: Prepared) {
        let Prepared { commit, values } = prepared;
        {
            let mut memory = self.memory.write();
            for (change, value) in commit.changes.iter().zip(values) {
                memory.set(&change.kind, &change.scope, &change.id, value.map(|value| value.entry));
            }
        }
        self.history.push(&commit);
        self.sequence.store(commit.sequence, Ordering::Release);
        self.transactions.fetch_add(1, Ordering::Relaxed);
        // Nobody listening is fine.
        let _ = self.feed.send(commit);
    }

    /// The writer thread is no more.
    pub fn gone(&self) -> StoreError {
        StoreError::Stopped { place: self.place.clone(), reason: "its writer thread has ended".into() }
    }
}
