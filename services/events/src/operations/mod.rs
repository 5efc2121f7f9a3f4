//! One file per kind of call.

pub mod buses;
pub mod permissions;
pub mod put_events;
pub mod rules;
pub mod tags;
pub mod targets;
