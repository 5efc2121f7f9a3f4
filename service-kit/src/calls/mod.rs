//! Finished calls: who asked for what, and how it ended.
//!
//! ```text
//! push ─▶ waiting (bounded) ── each second, as one block ─▶ journal (the newest 100,000)
//!                 └──────────────── latest ◀──────────────────┘
//! ```
//! A call is told after the fact, so no answer waits for the disk; a kiln that is killed has lost those of its last
//! second. When more come than are kept in time, the journal says how many there were besides.

mod keeper;
mod kept;

#[cfg(test)]
mod tests;

pub use keeper::CallKeeper;
pub use kept::Logged;
pub use kept::Told;
pub(crate) use kept::{Block, read_blocks};

use crate::CallFigures;
use kept::Ends;
use kiln_clock::Timestamp;
use kiln_journal::Kept;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// For the journal: how long calls are kept.
pub(crate) const KEPT: Kept = Kept::of::<Block<CallRecord>>();

/// One finished call, as CloudTrail would tell it; holds no request members and so no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    pub at: Timestamp,
    pub request_id: String,
    pub service: Cow<'static, str>,
    pub operation: Cow<'static, str>,
    pub account: String,
    pub region: String,
    pub caller: String,
    /// Code and message of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<(String, String)>,
    pub micros: u64,
}

impl Logged for CallRecord {
    const KIND: &'static str = "kiln/calls";
    const MOST_WAITING: usize = 2_000;
    /// About 30 MB.
    const MOST_KEPT: u64 = 100_000;
}

/// Calls that are not kept yet.
pub struct Waiting<R> {
    /// In the order in which they ended.
    waiting: Mutex<Vec<Told<R>>>,
    /// What these weigh.
    weight: AtomicUsize,
    /// Told once half of what may wait does.
    many: Notify,
    /// Of who keeps or reads them, and what they know of what is kept.
    turn: tokio::sync::Mutex<Ends>,
}

impl<R> Default for Waiting<R> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), weight: AtomicUsize::new(0), many: Notify::new(), turn: Default::default() }
    }
}

impl<R: Logged> Waiting<R> {
    /// One more, or one more that is not kept, where `most` wait already or all that wait weigh `heaviest`.
    pub(crate) fn add(&self, record: R, most: usize, heaviest: usize) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= most || self.weight.load(Ordering::Relaxed) > heaviest {
            drop(waiting);
            return self.add_unkept();
        }
        self.weight.fetch_add(record.weight(), Ordering::Relaxed);
        waiting.push(Told::Call(record));
        if waiting.len() == R::MOST_WAITING / 2 {
            self.many.notify_one();
        }
    }

    /// One more that is not kept.
    pub(crate) fn add_unkept(&self) {
        let mut waiting = self.waiting.lock();
        match waiting.last_mut() {
            Some(Told::NotKept(calls)) => *calls += 1,
            _ => waiting.push(Told::NotKept(1)),
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Answers once many wait.
    pub(crate) async fn many(&self) {
        self.many.notified().await;
    }
}

/// Calls that are not kept yet, and figures of all.
#[derive(Default)]
pub struct CallLog {
    log: Waiting<CallRecord>,
    figures: CallFigures,
}

impl Deref for CallLog {
    type Target = Waiting<CallRecord>;

    fn deref(&self) -> &Waiting<CallRecord> {
        &self.log
    }
}

impl CallLog {
    /// `cause`: what was behind a failure inside, for the log alone. A service that calls another one may write
    /// down what it was told and go on; what really happened is in the log then.
    pub(crate) fn push(&self, record: CallRecord, cause: Option<&str>) {
        let (service, operation) = (&*record.service, &*record.operation);
        match &record.error {
            None => {
                tracing::debug!(target: "kiln::calls", service, operation, caller = %record.caller, micros = record.micros)
            }
            Some((code, message)) => {
                tracing::info!(target: "kiln::calls", service, operation, caller = %record.caller, code, message, cause)
            }
        }
        self.log.add(record, CallRecord::MOST_WAITING, usize::MAX);
    }

    /// How many calls there were, and how long they took.
    pub fn figures(&self) -> &CallFigures {
        &self.figures
    }
}
