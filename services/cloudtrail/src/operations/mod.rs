//! One file for each kind of call.

pub mod lookup;
