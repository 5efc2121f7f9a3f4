//! The store itself: reads from memory, runs transactions, hands out the feed.

use crate::counted::Reads;
use crate::entry::Entry;
use crate::history::History;
use crate::log::DurableLog;
use crate::memory::Memory;
use crate::queue::{Head, Job, Prepared};
use crate::shared::Shared;
use crate::sqlite::Sqlite;
use crate::table::Table;
use crate::tx::{Done, Tx};
use crate::unread::Unread;
use crate::writer::run;
use crate::{Commit, Record, Scope, StoreError};
use kiln_clock::Clock;
use parking_lot::{MutexGuard, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

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

impl Store {
    /// Opens the database file at `path`, making it and its directory when they are not there,
    /// bringing an older schema up to date, and loading everything. A file that another process
    /// has open is refused.
    pub fn open(path: &Path, clock: Clock) -> Result<Store, StoreError> {
        let log = Sqlite::open(path, clock.now())?;
        Store::on(Arc::new(log), clock)
    }

    /// A store that is durable in `log`, with everything that is in it.
    pub fn on(log: Arc<dyn DurableLog>, clock: Clock) -> Result<Store, StoreError> {
        let mut records = Table::default();
        let mut scope = Scope::new("", "");
        let sequence = log.load(&mut |row| {
            // Rows come ordered, so a scope's names are stored once per kind.
            if *scope.account != *row.account || *scope.region != *row.region {
                scope = Scope::new(row.account, row.region);
            }
            let kind = records.kind(row.kind);
            records.insert(&kind, &scope, &row.id.into(), Arc::new(Entry::from_json(row.json.into())));
        })?;
        let shared = Arc::new(Shared {
            reread: cfg!(debug_assertions),
            place: log.place(),
            memory: RwLock::new(Memory::new(records)),
            ..Shared::new(clock, sequence, History::Log(log.clone()))
        });
        let thread = std::thread::Builder::new()
            .name("kiln-store".to_owned())
            .spawn({
                let shared = shared.clone();
                move || run(shared, log)
            })
            .map_err(|e| StoreError::Io {
                doing: "start the writer thread for",
                place: shared.place.clone(),
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
            History::Log(log) => log.copy_to(to),
            History::Memory(_) => Err(StoreError::File {
                doing: "copy a store in memory to",
                path: to.to_owned(),
                source: Arc::new(std::io::ErrorKind::Unsupported.into()),
            }),
        }
    }

    /// The ids of all records of a type in what [`Store::copy_to`] wrote. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn ids_in_copy<R: Record>(copy: &Path) -> Result<BTreeSet<String>, StoreError> {
        crate::sqlite::ids_in_copy(copy, R::KIND)
    }

    /// How busy the store has been.
    pub fn figures(&self) -> Figures {
        Figures {
            transactions: self.shared().transactions.load(Ordering::Relaxed),
            disk_commits: self.shared().disk_commits.load(Ordering::Relaxed),
            disk_time: Duration::from_nanos(self.shared().disk_nanoseconds.load(Ordering::Relaxed)),
            records_read: self.shared().readers.all(),
        }
    }

    /// How many records of each kind there are, by kind.
    pub fn record_counts(&self) -> Vec<(Arc<str>, usize)> {
        self.shared().memory.read().records.counts()
    }

    /// Why no more writes are taken, when that is so ([`StoreError::Stopped`]). It stays so until the
    /// store is opened anew.
    pub fn stopped(&self) -> Option<StoreError> {
        self.shared().head.lock().stopped.clone()
    }

    /// Records that somebody came upon since the start, that do not read as their type and still stand
    /// there. Until their kind is read, nobody knows.
    pub fn unread(&self) -> Vec<Unread> {
        let memory = self.shared().memory.read();
        self.shared().unread.all(|kind, scope, id| memory.get(kind, scope, id).cloned())
    }

    /// Runs `run` and counts what it reads to `name`, of this store or any other, in debug builds; see
    /// [`Store::reads`]. What a run inside of it reads counts to both.
    pub async fn counted<T>(&self, name: impl FnOnce() -> String, run: impl Future<Output = T>) -> T {
        self.shared().readers.run(name, run).await
    }

    /// As [`Store::counted`].
    pub fn counted_sync<T>(&self, name: impl FnOnce() -> String, run: impl FnOnce() -> T) -> T {
        self.shared().readers.run_sync(name, run)
    }

    /// What was read by name since the start, or since [`Store::forget_reads`]; nothing in a release build.
    pub fn reads(&self) -> BTreeMap<String, Reads> {
        self.shared().readers.by_name()
    }

    /// Begins to count anew.
    pub fn forget_reads(&self) {
        self.shared().readers.forget();
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Runs `f` and queues what it wrote. Returns its outcome and what to wait for before telling.
    fn transact<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(Result<T, E>, Option<Durable>), E> {
        let mut head = self.begin()?;
        let shared = self.shared();
        let mut tx = Tx::new(shared, &head.queued, head.sequence + 1);
        let outcome = f(&mut tx);
        let done = tx.done(outcome.is_ok());
        let durable = self.finish(&mut head, done)?;
        Ok((outcome, durable))
    }

    // What follows is compiled once; what is above for each of some hundred closures.

    /// Alone from here on, unless the store has stopped.
    #[inline(never)]
    fn begin(&self) -> Result<MutexGuard<'_, Head>, StoreError> {
        let head = self.shared().head.lock();
        match &head.stopped {
            Some(stopped) => Err(stopped.clone()),
            None => Ok(head),
        }
    }

    /// Queues what a transaction did. None: there is nothing to wait for.
    #[inline(never)]
    fn finish(&self, head: &mut Head, done: Done) -> Result<Option<Durable>, StoreError> {
        let Done { at, saw_queued, changes: (changes, values) } = done;
        let shared = self.shared();
        if self.rehearses && !changes.is_empty() {
            return Err(StoreError::Rehearsed);
        }
        if changes.is_empty() && !saw_queued {
            return Ok(None);
        }
        let prepared = (!changes.is_empty()).then(|| {
            head.sequence += 1;
            let commit = Arc::new(Commit { sequence: head.sequence, at, changes });
            Prepared { commit, values }
        });
        if self.handle.thread.is_none() {
            prepared.into_iter().for_each(|prepared| shared.apply(prepared));
            return Ok(None);
        }
        let (answer, durable) = oneshot::channel();
        match prepared {
            Some(prepared) => head.push(prepared, answer),
            None => head.queue.push(Job { prepared: None, answer }),
        }
        shared.wake.notify_one();
        Ok(Some(durable))
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
