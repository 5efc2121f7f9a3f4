//! The operations, one file per kind.

pub mod delete;
pub mod describe;
pub mod filters;
pub mod get;
pub mod labels;
pub mod put;
pub mod tags;
