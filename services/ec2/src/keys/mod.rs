//! Key pairs.

pub mod operations;
pub mod public_keys;
pub mod records;
pub mod resources;
pub mod targets;
