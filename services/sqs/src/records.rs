//! What is kept of a queue beside its messages ([`crate::messages`]), and of the tasks that move dead letters.

use crate::messages::QueueNumber;
use crate::settings::Settings;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A queue; its id in the store is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queue {
    pub name: String,
    /// What its messages are known by.
    pub number: QueueNumber,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub settings: Settings,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was purged last.
    #[serde(default)]
    pub purged: Option<Timestamp>,
}

impl Queue {
    /// Queues by the dead-letter queue that they have: its ARN.
    pub const BY_DEAD_LETTERS: &'static str = "dead_letters";
}

impl Record for Queue {
    const KIND: &'static str = "sqs/queue";
    const KEYS: &'static [&'static str] = &[Self::BY_DEAD_LETTERS];

    fn keys(&self) -> Keys {
        let redrive = self.settings.redrive.as_ref();
        redrive.map(|redrive| (Self::BY_DEAD_LETTERS, redrive.target.clone())).into_iter().collect()
    }
}

/// A task that moves messages out of a dead-letter queue. Its id begins with the queue's name and a slash; those of one
/// queue stand in the order in which they were started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MoveTask {
    /// The name of the dead-letter queue.
    pub source: String,
    /// Its number: a queue that is made anew is another.
    pub number: QueueNumber,
    /// The ARN of the queue that they go to; none: each to the one that it came from.
    pub destination: Option<String>,
    pub per_second: Option<i32>,
    pub status: TaskStatus,
    pub started: Timestamp,
    pub moved: i64,
    pub to_move: i64,
    /// When some were moved last.
    #[serde(default)]
    pub moved_at: Option<Timestamp>,
    #[serde(default)]
    pub failure: Option<String>,
}

impl Record for MoveTask {
    const KIND: &'static str = "sqs/move-task";
    const KEYS: &'static [&'static str] = &[Self::BY_STATUS];

    fn keys(&self) -> Keys {
        vec![(Self::BY_STATUS, self.status.name().to_owned())]
    }
}

impl MoveTask {
    pub const BY_STATUS: &'static str = "status";
}

/// How far a move task is. Source: SQS API Reference, ListMessageMoveTasksResultEntry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    Running,
    Completed,
    Cancelling,
    Cancelled,
    Failed,
}

impl TaskStatus {
    /// As AWS writes it, and the record's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether there is something to do for it.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }
}
