//! One file per controller.

pub mod lifecycle;
