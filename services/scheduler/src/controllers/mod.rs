//! One file per controller.

pub mod schedule;
