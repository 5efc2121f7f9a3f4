//! One file for each kind of call.

pub mod create;
pub mod delete;
pub mod describe;
mod filters;
pub mod labels;
pub mod list;
mod new_version;
pub mod passwords;
pub mod policies;
pub mod put;
pub mod read;
pub mod tags;
pub mod update;
