//! What scheduler keeps.

use kiln_service_kit::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A group of schedules; its id in the store is its name. The default one is there without a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub made: Timestamp,
    pub modified: Timestamp,
    pub tags: BTreeMap<String, String>,
    /// Of the call that made it.
    pub token: Option<String>,
}

impl Record for Group {
    const KIND: &'static str = "scheduler/group";
}

/// A schedule; its id in the store is `GROUP/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub name: String,
    pub group: String,
    pub made: Timestamp,
    pub modified: Timestamp,
    /// Of the call that made it.
    pub token: Option<String>,
    pub set: Set,
    /// The next time that the expression names, and when the target is told of it: within the window.
    pub due: Option<(Timestamp, Timestamp)>,
}

impl Record for Schedule {
    const KIND: &'static str = "scheduler/schedule";
}

/// What is set of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Set {
    pub expression: String,
    pub zone: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// Minutes; none: on time.
    pub window: Option<i32>,
    pub enabled: bool,
    pub description: Option<String>,
    /// Whether it goes once it has no next time.
    pub deletes_itself: bool,
    pub target: Target,
}

/// Who is told what, and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub arn: String,
    pub role: String,
    pub input: Option<String>,
    pub dead_letter: Option<String>,
    pub attempts: Option<i32>,
    /// Seconds.
    pub age: Option<i32>,
    /// Source and detail type, where it is an event bus.
    pub event: Option<(String, String)>,
}

pub fn schedule_id(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}
