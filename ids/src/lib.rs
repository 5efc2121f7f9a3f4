//! Names of things: one type per kind of id, and a generator that can be seeded; patterns of names; address blocks.
//!
//! An `InstanceId` is not a `VpcId`; mixing them up should not compile. Every id is a checked
//! string (`i-` + 17 hex digits, 8 accepted as on old accounts), parsed where it enters and right
//! everywhere inside. The generator is a parameter ([`IdSource`]) so that a simulation repeats.

mod arn;
mod block;
mod glob;
mod kinds;
pub mod regions;
mod source;

pub use arn::Arn;
pub use block::{IpNet, Ipv4Net, Ipv6Net, block, block_v4, block_v6};
pub use glob::{Glob, Piece, glob};
pub use kinds::*;
pub use source::IdSource;

/// Why a text is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadId {
    /// What was given.
    pub given: String,
    /// What was expected, e.g. `i-…`.
    pub expected: &'static str,
}

impl std::fmt::Display for BadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is not of the form {}", self.given, self.expected)
    }
}

impl std::error::Error for BadId {}
