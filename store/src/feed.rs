//! What the change feed says: which records changed, in which order, and what was there before.
//! Never what is there now: a reader looks at the record itself, so it acts on the newest state and
//! can miss nothing by reading twice.
//!
//! The old record is in the live feed only, where it costs a pointer. What was kept on disk or for
//! [`Store::changes_since`](crate::Store::changes_since) does not have it: old records would make
//! the history as large as everything that ever was. A reader must therefore do without, wider.

use crate::entry::Entry;
use crate::{Record, Scope, StoreError};
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
    /// What was there; see [`Change::before`].
    #[serde(skip)]
    pub(crate) old: Old,
}

/// The record that a change replaced or removed.
#[derive(Clone, Default)]
pub(crate) enum Old {
    /// The change was read from the history.
    #[default]
    Untold,
    /// The record is new.
    Nothing,
    Record(Arc<Entry>),
}

// A change is the same change whether or not it still tells what was there before.
impl PartialEq for Old {
    fn eq(&self, _: &Old) -> bool {
        true
    }
}

impl Eq for Old {}

impl std::fmt::Debug for Old {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Old::Untold => "untold",
            Old::Nothing => "nothing",
            Old::Record(_) => "a record",
        })
    }
}

/// What a change tells of the record before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before<R> {
    /// The change was read from the history, which keeps no old records.
    Untold,
    /// There was none: the record is new.
    Nothing,
    /// It was this.
    Was(Arc<R>),
}

impl<R> Before<R> {
    /// The old record, where the change tells of one.
    pub fn record(self) -> Option<Arc<R>> {
        match self {
            Before::Was(record) => Some(record),
            Before::Untold | Before::Nothing => None,
        }
    }
}

impl Change {
    /// Whether the change is to a record of type `R`.
    pub fn is<R: Record>(&self) -> bool {
        &*self.kind == R::KIND
    }

    /// The record as it was before this change. One that does not read as `R` is an error that names it.
    pub fn before<R: Record>(&self) -> Result<Before<R>, StoreError> {
        match &self.old {
            Old::Untold => Ok(Before::Untold),
            Old::Nothing => Ok(Before::Nothing),
            Old::Record(entry) => entry.get(&self.scope, &self.id).map(Before::Was),
        }
    }

    /// The change as the history keeps it: it no longer tells what was there before.
    pub fn without_old(&self) -> Change {
        Change { old: Old::Untold, ..self.clone() }
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
