//! What makes the store durable, whatever it is: it keeps all records and the feed's history, and puts a
//! group of transactions on disk as one. SQLite is one such log ([`Store::open`](crate::Store::open)).
//!
//! Nothing of a database's library shows here, so that another can stand in its place: one that others
//! may read too (a standby) is a log with another `commit`.

use crate::{Commit, StoreError};
use std::path::Path;
use std::sync::Arc;

/// A durable log. Its methods may block; the store calls them from a thread of its own, `changes` from
/// its caller's.
pub trait DurableLog: Send + Sync + 'static {
    /// Where it is, for the words of errors: a path or an address, without a secret.
    fn place(&self) -> Arc<str>;

    /// Gives out every record, ordered by kind, account, region and id, and returns the sequence of the
    /// last commit; 0 before the first. Called once, at the start.
    fn load(&self, record: &mut dyn FnMut(Stored<'_>)) -> Result<u64, StoreError>;

    /// Writes a group of transactions in their order, all or nothing, durable on return. After an error
    /// nothing of the group is there. [`StoreError::Stopped`] says that it is in doubt whether later
    /// writes could be trusted: no more follow.
    fn commit(&self, group: &[Transaction<'_>]) -> Result<(), StoreError>;

    /// Copies all of it, as it is now, into the new file `to`. Commits wait meanwhile. A log that others look
    /// after may refuse.
    fn copy_to(&self, to: &Path) -> Result<(), StoreError>;

    /// The commits after `sequence` up to `last`, oldest first. Of the last [`KEPT`](crate::KEPT) none is
    /// missing; earlier ones may be gone.
    fn changes(&self, sequence: u64, last: u64) -> Result<Vec<Commit>, StoreError>;
}

/// A record as it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its account.
    pub account: &'a str,
    /// Its region.
    pub region: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its value.
    pub json: &'a str,
}

/// A transaction to be written.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// Its sequence, time and changes; goes into the history.
    pub commit: &'a Commit,
    /// For each change the record's new value; none: it is deleted.
    pub json: Vec<Option<&'a str>>,
}
