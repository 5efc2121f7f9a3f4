//! One file per kind of call.

pub mod groups;
pub mod schedules;
pub mod tags;
