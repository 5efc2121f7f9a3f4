//! The feed's past, for a reader that was away.
//!
//! Bounded: beside the live feed it serves catching up after a restart, not archiving. The
//! durable log keeps it; a simulation keeps it in memory.

use crate::log::DurableLog;
use crate::{Change, Commit, StoreError};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many commits of the past can be read.
pub const KEPT: u64 = 100_000;

pub(crate) enum History {
    Memory(Mutex<VecDeque<Arc<Commit>>>),
    Log(Arc<dyn DurableLog>),
}

impl History {
    pub fn in_memory() -> History {
        History::Memory(Mutex::new(VecDeque::new()))
    }

    /// Adds a commit to a history in memory; one on disk got it with the commit itself.
    pub fn push(&self, commit: &Arc<Commit>) {
        if let History::Memory(kept) = self {
            let changes = commit.changes.iter().map(Change::without_old).collect();
            let mut kept = kept.lock();
            kept.push_back(Arc::new(Commit { sequence: commit.sequence, at: commit.at, changes }));
            if kept.len() as u64 > KEPT {
                kept.pop_front();
            }
        }
    }

    /// Every commit after `sequence`, oldest first. `last` is the newest durable one.
    pub fn since(&self, sequence: u64, last: u64) -> Result<Vec<Arc<Commit>>, StoreError> {
        if sequence >= last {
            return Ok(Vec::new());
        }
        let commits: Vec<_> = match self {
            History::Memory(kept) => {
                kept.lock().iter().filter(|c| c.sequence > sequence && c.sequence <= last).cloned().collect()
            }
            History::Log(log) => log.changes(sequence, last)?.into_iter().map(Arc::new).collect(),
        };
        match commits.first() {
            Some(first) if first.sequence == sequence + 1 => Ok(commits),
            first => Err(StoreError::HistoryGone { asked: sequence, oldest: first.map_or(last, |c| c.sequence - 1) }),
        }
    }
}
