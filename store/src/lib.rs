//! Desired state, status and the change feed: the only crate that opens the database.
//!
//! Everything is keyed by (kind, account, region, id) and found by id, by a range of ids, or by a key that
//! the record declares. Reads come from memory. A write runs alone, and its answer waits until the change is on disk; writers that wait at the same time share one
//! `fsync`.
//!
//! ```text
//!   write(f) ── f sees: own puts > queued, not yet durable > durable ──┐
//!                                                                       ▼ queue
//!   get, list ◄── memory (durable only) ◄── publish ◄── disk: BEGIN … COMMIT, fsync
//!                                              │
//!                                              └──► change feed, then the writers' answers
//! ```
//!
//! Decided (`docs/decisions/0002-store.md`): readers see a change only once it is durable, so a
//! failed commit has nothing to take back from them; only transactions see what is queued before
//! them, and they fail together with it.

mod counted;
mod entry;
mod error;
mod feed;
mod history;
mod log;
mod memory;
mod points;
mod prefix;
mod private;
mod queue;
mod reads;
mod rest;
mod scope;
mod shared;
mod sqlite;
mod store;
mod table;
mod tx;
mod unread;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use counted::Reads;
pub use entry::{Keys, Record, Rows, ScopedRows};
pub use error::{Cause, StoreError};
pub use feed::{Before, Change, Commit, Op};
pub use history::KEPT;
pub use log::{DurableLog, Stored, Transaction};
pub use prefix::past_prefix;
pub use private::create_private;
pub use reads::Whole;
pub use scope::Scope;
pub use store::{Figures, Store};
pub use tx::Tx;
pub use unread::Unread;
