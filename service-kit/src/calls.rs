//! Finished calls: the latest of them, and how many there were.

use crate::CallFigures;
use kiln_clock::Timestamp;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// How many calls [`CallLog`] remembers.
const CALLS_KEPT: usize = 2_000;

/// One finished call, as CloudTrail would tell it; holds no request members and so no secrets.
#[derive(Debug, Clone)]
pub struct CallRecord {
    pub at: Timestamp,
    pub request_id: String,
    pub service: &'static str,
    pub operation: &'static str,
    pub account: String,
    pub region: String,
    pub caller: String,
    /// Code and message of a refusal.
    pub error: Option<(String, String)>,
    pub micros: u64,
}

/// The latest calls, newest last, and figures of all.
#[derive(Default)]
pub struct CallLog {
    latest: Mutex<VecDeque<CallRecord>>,
    figures: CallFigures,
}

impl CallLog {
    /// `cause`: what was behind a failure inside, for the log alone. A service that calls another one may write
    /// down what it was told and go on; what really happened is in the log then.
    pub(crate) fn push(&self, record: CallRecord, cause: Option<&str>) {
        match &record.error {
            None => {
                tracing::debug!(target: "kiln::calls", service = record.service, operation = record.operation, caller = %record.caller, micros = record.micros)
            }
            Some((code, message)) => {
                tracing::info!(target: "kiln::calls", service = record.service, operation = record.operation, caller = %record.caller, code, message, cause)
            }
        }
        let mut kept = self.latest.lock();
        if kept.len() == CALLS_KEPT {
            kept.pop_front();
        }
        kept.push_back(record);
    }

    /// A copy of what is remembered.
    pub fn recent(&self) -> Vec<CallRecord> {
        self.latest.lock().iter().cloned().collect()
    }

    /// How many calls there were, and how long they took.
    pub fn figures(&self) -> &CallFigures {
        &self.figures
    }
}
