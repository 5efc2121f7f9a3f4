//! One file per kind of call.

pub mod key;
