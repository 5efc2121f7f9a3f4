//! What is kept, one file per kind of thing.

mod acl;
mod group;

pub use acl::*;
pub use group::*;
