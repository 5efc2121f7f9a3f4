//! Controllers.

pub mod stack;
