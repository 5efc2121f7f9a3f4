//! What is kept, one file per kind of thing.

mod address;
mod interface;

pub use address::*;
pub use interface::*;
