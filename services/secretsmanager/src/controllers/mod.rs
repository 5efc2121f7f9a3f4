//! One file per controller.

pub mod secret;
