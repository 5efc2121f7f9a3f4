//! One file per controller.

pub mod key;
