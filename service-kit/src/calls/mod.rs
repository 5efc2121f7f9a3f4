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
pub(crate) use kept::KEPT;
pub use kept::Told;

use crate::CallFigures;
use kept::Ends;
use kiln_clock::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tokio::sync::Notify;

/// How many calls wait to be kept, at most.
const MOST_WAITING: usize = 2_000;

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

/// Calls that are not kept yet, and figures of all.
#[derive(Default)]
pub struct CallLog {
    /// In the order in which they ended.
    waiting: Mutex<Vec<Told>>,
    /// Told once half of what may wait does.
    many: Notify,
    /// Of who keeps or reads them, and what they know of what is kept.
    turn: tokio::sync::Mutex<Ends>,
    figures: CallFigures,
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
        let mut waiting = self.waiting.lock();
        let room = waiting.len() < MOST_WAITING;
        match waiting.last_mut() {
            Some(Told::NotKept(calls)) if !room => *calls += 1,
            _ if !room => waiting.push(Told::NotKept(1)),
            _ => waiting.push(Told::Call(record)),
        }
        if waiting.len() == MOST_WAITING / 2 {
            self.many.notify_one();
        }
    }

    /// How many calls there were, and how long they took.
    pub fn figures(&self) -> &CallFigures {
        &self.figures
    }
}
