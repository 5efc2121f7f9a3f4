//! What has run and waits for the disk: the transactions in their order, the state as they leave it, and who waits.

use crate::entry::Entry;
use crate::log::Transaction;
use crate::table::Table;
use crate::{Commit, StoreError};
use std::sync::Arc;
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
    pub fn transaction(&self) -> Transaction<'_> {
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
