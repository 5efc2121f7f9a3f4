//! What goes on by itself.

pub mod discarded;
pub mod query;
pub mod retention;
