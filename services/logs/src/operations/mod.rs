//! One file per kind of call.

pub mod definitions;
pub mod encryption;
pub mod groups;
pub mod metric_filters;
pub mod policies;
pub mod put;
pub mod queries;
pub mod read;
pub mod retention;
pub mod streams;
pub mod subscriptions;
pub mod tags;
