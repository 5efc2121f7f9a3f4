//! One file per controller.

pub mod expiry;
