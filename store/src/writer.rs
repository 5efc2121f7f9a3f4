//! The one thread that writes the database: takes everything queued, writes it as one
//! transaction, makes it visible, answers.
//!
//! While it waits for the disk, the next group gathers: with one writer every write has its own
//! `fsync`, with sixteen they share. No timer, nothing to tune.

use crate::entry::Entry;
use crate::log::{DurableLog, Transaction};
use crate::store::Shared;
use crate::table::Table;
use crate::{Commit, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// A record's new value: for the disk and for memory.
pub(crate) struct Value {
    pub json: String,
    pub entry: Arc<Entry>,
}

/// A transaction that has run, ready for the disk; `values` go with `commit.changes`.
pub(crate) struct Prepared {
    pub commit: Arc<Commit>,
    pub values: Vec<Option<Value>>,
}

impl Prepared {
    fn transaction(&self) -> Transaction<'_> {
        let json = self.values.iter().map(|value| value.as_ref().map(|value| value.json.as_str())).collect();
        Transaction { commit: &self.commit, json }
    }
}

/// A record as a queued transaction leaves it (none: deleted).
pub(crate) struct Queued {
    pub sequence: u64,
    pub entry: Option<Arc<Entry>>,
}

/// A writer's wait: for its own transaction, or, without one, for those it has read from.
pub(crate) struct Job {
    pub prepared: Option<Prepared>,
    pub answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The newest state, as writers see it: what is queued on top of what is durable.
pub(crate) struct Head {
    pub queued: Table<Queued>,
    pub queue: Vec<Job>,
    /// The last sequence given out.
    pub sequence: u64,
    /// Why no more writes are taken.
    pub stopped: Option<StoreError>,
    /// The last handle is gone: finish the queue and end.
    pub closed: bool,
}

impl Head {
    pub fn new(sequence: u64) -> Head {
        Head { queued: Table::default(), queue: Vec::new(), sequence, stopped: None, closed: false }
    }

    /// Queues a transaction and shows it to those that follow.
    pub fn push(&mut self, prepared: Prepared, answer: oneshot::Sender<Result<(), StoreError>>) {
        let sequence = prepared.commit.sequence;
        for (change, value) in prepared.commit.changes.iter().zip(&prepared.values) {
            let entry = value.as_ref().map(|v| v.entry.clone());
            let queued = Queued { sequence, entry };
            self.queued.insert(&change.kind, &change.scope, &change.id, queued);
        }
        self.queue.push(Job { prepared: Some(prepared), answer });
    }
}

/// The thread's body.
pub(crate) fn run(shared: Arc<Shared>, log: Arc<dyn DurableLog>) {
    let stop_on_panic = StopOnPanic(&shared);
    while let Some(group) = next_group(&shared) {
        let written = {
            let prepared = group.iter().filter_map(|job| job.prepared.as_ref());
            let transactions: Vec<_> = prepared.map(Prepared::transaction).collect();
            match transactions.is_empty() {
                true => Ok(()),
                false => {
                    shared.disk_commits.fetch_add(1, Ordering::Relaxed);
                    let began = Instant::now();
                    let written = log.commit(&transactions);
                    shared.disk_nanoseconds.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    written
                }
            }
        };
        match written {
            Ok(()) => publish(&shared, group),
            Err(error) => fail(&shared, group, error),
        }
    }
    drop(stop_on_panic);
}

fn next_group(shared: &Shared) -> Option<Vec<Job>> {
    let mut head = shared.head.lock();
    while head.queue.is_empty() {
        if head.closed {
            return None;
        }
        shared.wake.wait(&mut head);
    }
    Some(std::mem::take(&mut head.queue))
}

/// Makes durable transactions visible, tells the feed, then answers their writers.
fn publish(shared: &Shared, group: Vec<Job>) {
    let mut answers = Vec::with_capacity(group.len());
    {
        let mut head = shared.head.lock();
        for job in group {
            if let Some(prepared) = job.prepared {
                for change in &prepared.commit.changes {
                    let (kind, scope, id) = (&change.kind, &change.scope, &change.id);
                    let newest = head.queued.get(kind, scope, id).map(|queued| queued.sequence);
                    if newest == Some(prepared.commit.sequence) {
                        head.queued.remove(kind, scope, id);
                    }
                }
                shared.apply(prepared);
            }
            answers.push(job.answer);
        }
    }
    for answer in answers {
        // A writer that no longer waits has been served all the same.
        let _ = answer.send(Ok(()));
    }
}

/// Forgets a failed group and everything queued behind it, which may have read from it.
fn fail(shared: &Shared, group: Vec<Job>, error: StoreError) {
    let behind = {
        let mut head = shared.head.lock();
        head.queued.clear();
        head.sequence = shared.sequence.load(Ordering::Acquire);
        if matches!(error, StoreError::Stopped { .. }) {
            head.stopped = Some(error.clone());
        }
        std::mem::take(&mut head.queue)
    };
    tracing::error!(
        error = &error as &dyn std::error::Error,
        writers = group.len() + behind.len(),
        "a commit failed; nothing of it was written"
    );
    for job in group.into_iter().chain(behind) {
        let _ = job.answer.send(Err(error.clone()));
    }
}

/// Without its thread the store must say so instead of waiting for ever.
struct StopOnPanic<'a>(&'a Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let place = self.0.place.clone();
            let reason = "its writer thread failed, see the log".into();
            fail(self.0, Vec::new(), StoreError::Stopped { place, reason });
        }
    }
}
