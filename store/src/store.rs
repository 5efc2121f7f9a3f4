//! The store itself: reads from memory, runs transactions, hands out the feed.

use crate::disk::Disk;
use crate::entry::{Entry, Record, Rows, ScopedRows};
use crate::history::History;
use crate::table::Table;
use crate::tx::Tx;
use crate::writer::{Head, Job, Prepared, run};
use crate::{Commit, Scope, StoreError};
use kiln_clock::Clock;
use parking_lot::{Condvar, Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// How many commits a slow reader of the live feed may fall behind before it is told that it
/// lagged (and reads on with [`Store::changes_since`]).
const FEED_LENGTH: usize = 4096;

/// The store. Cheap to clone; the last clone to go finishes what is queued and closes the file.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
    /// Whether nothing is ever written by it; see [`Store::rehearsing`].
    rehearses: bool,
}

/// How busy the store has been since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Transactions that changed something.
    pub transactions: u64,
    /// Groups written to disk, each with one `fsync`. Always 0 in memory.
    pub disk_commits: u64,
    /// Time that writing these groups took, `fsync` included.
    pub disk_time: Duration,
    /// Records handed out, to readers and to transactions.
    pub records_read: u64,
}

/// Resolves when a transaction and what it read are on disk, or could not be put there.
type Durable = oneshot::Receiver<Result<(), StoreError>>;

struct Handle {
    shared: Arc<Shared>,
    /// None in memory.
    thread: Option<JoinHandle<()>>,
}

/// What the handles and the writer thread share. Locks are taken in this order: head, memory.
pub(crate) struct Shared {
    pub clock: Clock,
    pub path: PathBuf,
    /// Whether a written record is kept as it reads back from its JSON.
    pub reread: bool,
    /// What is durable. Changes only under the head's lock.
    pub memory: RwLock<Table<Arc<Entry>>>,
    pub head: Mutex<Head>,
    pub wake: Condvar,
    /// The last durable sequence.
    pub sequence: AtomicU64,
    pub disk_commits: AtomicU64,
    pub disk_nanoseconds: AtomicU64,
    pub records_read: AtomicU64,
    transactions: AtomicU64,
    feed: broadcast::Sender<Arc<Commit>>,
    history: History,
}

impl Store {
    /// Opens the database file at `path`, making it and its directory when they are not there,
    /// bringing an older schema up to date, and loading everything. A file that another process
    /// has open is refused.
    pub fn open(path: &Path, clock: Clock) -> Result<Store, StoreError> {
        let disk = Disk::open(path, clock.now())?;
        let loaded = disk.load()?;
        let disk = Arc::new(Mutex::new(disk));
        let history = History::Disk(disk.clone());
        let shared = Arc::new(Shared {
            reread: cfg!(debug_assertions),
            path: path.to_owned(),
            memory: RwLock::new(loaded.records),
            ..Shared::new(clock, loaded.sequence, history)
        });
        let thread = std::thread::Builder::new()
            .name("kiln-store".to_owned())
            .spawn({
                let shared = shared.clone();
                move || run(shared, disk)
            })
            .map_err(|e| StoreError::File {
                doing: "start the writer thread for",
                path: path.to_owned(),
                source: Arc::new(e),
            })?;
        Ok(Store { handle: Arc::new(Handle { shared, thread: Some(thread) }), rehearses: false })
    }

    /// A store for simulations: the same meaning, but no disk and no thread. A write is committed
    /// when its function returns, so a run's order is always the same.
    pub fn in_memory(clock: Clock) -> Store {
        let shared = Arc::new(Shared::new(clock, 0, History::in_memory()));
        Store { handle: Arc::new(Handle { shared, thread: None }), rehearses: false }
    }

    /// The same store for trying out what a call would do: its transactions run as ever, but one that
    /// would have changed something ends with [`StoreError::Rehearsed`], and nothing is written.
    pub fn rehearsing(&self) -> Store {
        Store { rehearses: true, ..self.clone() }
    }

    /// A record. One that does not read as `R` is an error that names it, never a default.
    pub fn get<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        let entry = self.shared().memory.read().get(R::KIND, scope, id).cloned();
        self.shared().read(entry.iter().len());
        entry.map(|entry| entry.get(scope, id)).transpose()
    }

    /// The records of a scope, ordered by id.
    pub fn list<R: Record>(&self, scope: &Scope) -> Result<Rows<R>, StoreError> {
        // Decoded after the lock is given back: the first time it can take a while.
        let entries: Vec<(Arc<str>, Arc<Entry>)> = {
            let memory = self.shared().memory.read();
            let ids = memory.ids(R::KIND, scope);
            ids.into_iter().flatten().map(|(id, entry)| (id.clone(), entry.clone())).collect()
        };
        self.shared().read(entries.len());
        entries.into_iter().map(|(id, entry)| entry.get(scope, &id).map(|record| (id, record))).collect()
    }

    /// The records of a kind in every account and region, ordered by scope and id.
    pub fn list_everywhere<R: Record>(&self) -> Result<ScopedRows<R>, StoreError> {
        let entries: Vec<(Scope, Arc<str>, Arc<Entry>)> = {
            let memory = self.shared().memory.read();
            let rows = memory
                .scopes(R::KIND)
                .flat_map(|(scope, ids)| ids.iter().map(|(id, entry)| (scope.clone(), id.clone(), entry.clone())));
            rows.collect()
        };
        self.shared().read(entries.len());
        entries
            .into_iter()
            .map(|(scope, id, entry)| {
                let record = entry.get(&scope, &id)?;
                Ok((scope, id, record))
            })
            .collect()
    }

    /// Runs a transaction: `f` alone, on the newest state. When it returns an error, nothing is
    /// written. Otherwise the answer waits until what it wrote, and everything it read, is
    /// durable; when that fails, the answer is the store's error and nothing was written.
    ///
    /// A transaction that writes nothing does not touch the disk. Once `f` has run, dropping the
    /// future does not undo it. `f` must not block: every other writer waits for it.
    pub async fn write<T, E: From<StoreError>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let (outcome, durable) = self.transact(f)?;
        if let Some(durable) = durable {
            match durable.await {
                Ok(written) => written?,
                Err(_) => return Err(self.shared().gone().into()),
            }
        }
        outcome
    }

    /// The live change feed: every commit from now on, in order, each after it is durable and can
    /// be read. A reader that lags is told so by its receiver and can catch up with
    /// [`Store::changes_since`]. To miss nothing, subscribe first and read then.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.shared().feed.subscribe()
    }

    /// Every commit after `sequence`, oldest first, also from before a restart. The last 100,000
    /// are kept; when some of those asked for are gone, [`StoreError::HistoryGone`] says so. This
    /// reads the disk.
    pub fn changes_since(&self, sequence: u64) -> Result<Vec<Arc<Commit>>, StoreError> {
        self.shared().history.since(sequence, self.sequence())
    }

    /// As [`Store::changes_since`], at most `limit` commits: a long way is read piece by piece.
    pub fn changes_after(&self, sequence: u64, limit: u64) -> Result<Vec<Arc<Commit>>, StoreError> {
        self.shared().history.since(sequence, self.sequence().min(sequence.saturating_add(limit)))
    }

    /// The sequence of the last durable commit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.shared().sequence.load(Ordering::Acquire)
    }

    /// Copies the database into the new file `to`: everything that was acknowledged before, and of what is being
    /// written whole transactions in their order. Writers wait meanwhile, readers do not. Blocks.
    ///
    /// # Errors
    /// It cannot be written; and where the store is in memory.
    pub fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        match &self.shared().history {
            History::Disk(disk) => disk.lock().copy_to(to),
            History::Memory(_) => Err(StoreError::File {
                doing: "copy a store in memory to",
                path: to.to_owned(),
                source: Arc::new(std::io::ErrorKind::Unsupported.into()),
            }),
        }
    }

    /// How busy the store has been.
    pub fn figures(&self) -> Figures {
        Figures {
            transactions: self.shared().transactions.load(Ordering::Relaxed),
            disk_commits: self.shared().disk_commits.load(Ordering::Relaxed),
            disk_time: Duration::from_nanos(self.shared().disk_nanoseconds.load(Ordering::Relaxed)),
            records_read: self.shared().records_read.load(Ordering::Relaxed),
        }
    }

    /// How many records of each kind there are, by kind.
    pub fn record_counts(&self) -> Vec<(Arc<str>, usize)> {
        self.shared().memory.read().counts()
    }

    /// Why no more writes are taken, when that is so ([`StoreError::Stopped`]). It stays so until the
    /// store is opened anew.
    pub fn stopped(&self) -> Option<StoreError> {
        self.shared().head.lock().stopped.clone()
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Runs `f` and queues what it wrote. Returns its outcome and what to wait for before telling.
    fn transact<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(Result<T, E>, Option<Durable>), E> {
        let shared = self.shared();
        let mut head = shared.head.lock();
        if let Some(stopped) = &head.stopped {
            return Err(stopped.clone().into());
        }
        let mut tx = Tx::new(shared, &head.queued, head.sequence + 1);
        let outcome = f(&mut tx);
        let (at, saw_queued) = (tx.now(), tx.saw_queued());
        let (changes, values) = match outcome {
            Ok(_) => tx.finish(),
            Err(_) => Default::default(),
        };
        if self.rehearses && !changes.is_empty() {
            return Err(StoreError::Rehearsed.into());
        }
        if changes.is_empty() && !saw_queued {
            return Ok((outcome, None));
        }
        let prepared = (!changes.is_empty()).then(|| {
            head.sequence += 1;
            let commit = Arc::new(Commit { sequence: head.sequence, at, changes });
            Prepared { commit, values }
        });
        if self.handle.thread.is_none() {
            prepared.into_iter().for_each(|prepared| shared.apply(prepared));
            return Ok((outcome, None));
        }
        let (answer, durable) = oneshot::channel();
        match prepared {
            Some(prepared) => head.push(prepared, answer),
            None => head.queue.push(Job { prepared: None, answer }),
        }
        shared.wake.notify_one();
        Ok((outcome, Some(durable)))
    }

    /// The writer's own connection, for tests that make the disk misbehave.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> &Arc<Mutex<Disk>> {
        match &self.shared().history {
            History::Disk(disk) => disk,
            History::Memory(_) => panic!("a store in memory has no disk"),
        }
    }
}

impl Shared {
    fn new(clock: Clock, sequence: u64, history: History) -> Shared {
        Shared {
            clock,
            path: PathBuf::from("memory"),
            reread: true,
            memory: RwLock::default(),
            head: Mutex::new(Head::new(sequence)),
            wake: Condvar::new(),
            sequence: AtomicU64::new(sequence),
            disk_commits: AtomicU64::new(0),
            disk_nanoseconds: AtomicU64::new(0),
            records_read: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            feed: broadcast::channel(FEED_LENGTH).0,
            history,
        }
    }

    /// Makes a durable transaction visible and tells the feed. The caller holds the head.
    pub(crate) fn apply(&self, prepared: Prepared) {
        let Prepared { commit, values } = prepared;
        {
            let mut memory = self.memory.write();
            for (change, value) in commit.changes.iter().zip(values) {
                match value {
                    Some(v) => memory.insert(&change.kind, &change.scope, &change.id, v.entry),
                    None => memory.remove(&change.kind, &change.scope, &change.id),
                };
            }
        }
        self.history.push(&commit);
        self.sequence.store(commit.sequence, Ordering::Release);
        self.transactions.fetch_add(1, Ordering::Relaxed);
        // Nobody listening is fine.
        let _ = self.feed.send(commit);
    }

    /// Counts records that are handed out.
    pub(crate) fn read(&self, records: usize) {
        self.records_read.fetch_add(records as u64, Ordering::Relaxed);
    }

    fn gone(&self) -> StoreError {
        StoreError::Stopped { path: self.path.clone(), reason: "its writer thread has ended".into() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.head.lock().closed = true;
        self.shared.wake.notify_one();
        if thread.join().is_err() {
            tracing::error!("the store's writer thread had failed");
        }
    }
}
