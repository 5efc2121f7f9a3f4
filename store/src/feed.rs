//! What the change feed says: which records changed, in which order. Never how: a reader looks at
//! the record itself, so it acts on the newest state and can miss nothing by reading twice.

use crate::{Record, Scope};
use kiln_clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One durable transaction that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// 1, 2, 3 …: without gaps, over the whole life of the store.
    pub sequence: u64,
    /// When the transaction ran.
    pub at: Timestamp,
    /// The records it changed, in the order it first touched them, each once.
    pub changes: Vec<Change>,
}

/// One changed record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The record's kind, for example `ec2/instance`.
    pub kind: Arc<str>,
    /// Whose and where.
    pub scope: Scope,
    /// The record's id.
    pub id: Arc<str>,
    /// Whether it is there now.
    pub op: Op,
}

impl Change {
    /// Whether the change is to a record of type `R`.
    pub fn is<R: Record>(&self) -> bool {
        &*self.kind == R::KIND
    }
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Written: new or replaced.
    Put,
    /// Removed.
    Delete,
}
