//! Desired state, status and the change feed: the only crate that opens the database.
//!
//! Everything is keyed by (kind, account, region, id). Reads come from memory. A write runs alone,
//! and its answer waits until the change is on disk; writers that wait at the same time share one
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

mod disk;
mod entry;
mod error;
mod feed;
mod history;
mod scope;
mod store;
mod table;
mod tx;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::{Record, Rows, ScopedRows};
pub use error::StoreError;
pub use feed::{Before, Change, Commit, Op};
pub use scope::Scope;
pub use store::{Figures, Store};
pub use tx::Tx;
