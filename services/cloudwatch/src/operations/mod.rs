//! One file per kind of call.

pub mod metrics;
