//! The operations, one file per kind.

pub mod aliases;
pub mod data_keys;
pub mod encrypt;
pub mod grants;
pub mod keys;
mod pages;
pub mod policies;
pub mod rotation;
pub mod states;
pub mod tags;
