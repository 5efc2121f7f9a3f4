//! What is kept, one file per kind of thing.

mod instance;
mod volume;

pub use instance::*;
pub use volume::*;
