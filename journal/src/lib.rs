//! What grows without bound: history today; logs, points, messages and the trail when their services come. It is on
//! disk, in the order of its keys; memory holds a page cache of fixed size, whatever is kept.
//!
//! ```text
//! Entry (a type, its kind, how long it is kept)
//!   └─ note, in a store transaction ─▶ waits in the store ─▶ Keeper moves it ─▶ Journal ─▶ Engine
//!                                                            Keeper trims by age ──┘
//! History: reads what waits and what is kept as one
//! ```
//! What a thing *is* belongs to the store, in memory; what *happened* belongs here. An entry stands in a stream (of
//! a kind, in a scope, of one thing) at a position: its time, and a tie-break. Pages are read from either end and go
//! on behind a position.
//!
//! The engine is chosen by measurement and stands behind one trait: `docs/decisions/0016-journal.md`.

mod blocks;
mod disk;
mod engine;
mod entry;
mod error;
mod history;
mod journal;
mod keeper;
mod key;
mod memory;
mod wire;

#[cfg(test)]
mod tests;

pub use blocks::{Between, Blocks, Placed};
pub use engine::{Engine, Found, Item, Range};
pub use entry::{Entry, Kept};
pub use error::JournalError;
pub use history::{History, Window};
pub use journal::{Held, Journal};
pub use keeper::Keeper;
pub use key::{NoPosition, Position};
