//! Tags of anything, by calls of their own. How a record keeps its tags stands in [`crate::tags`].

pub mod operations;
pub mod targets;
