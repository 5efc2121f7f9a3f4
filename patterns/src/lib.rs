//! Event patterns: which events a rule is about. Pure.
//!
//! ```text
//! text ── Pattern::parse ──> branches ($or multiplied out), each a tree of tests that ends where fields do
//! event ── Pattern::matches ──> every field of one branch holds; of a list in the event, one element holds for all
//! many patterns ── Index ──> the branches that an event's own values lead to, and only those are matched
//! ```
//! Source: Amazon EventBridge User Guide, "Creating Amazon EventBridge event patterns" and "Comparison operators for use
//! in event patterns"; where the guide is silent, AWS's published matcher (github.com/aws/event-ruler) decides: lists of
//! objects are matched by one element, a field is absent when it is nowhere in the event, numbers are compared to six
//! digits after the point. Why there is an index of this kind: `docs/decisions/0028-events.md`.

mod index;
mod invalid;
mod matching;
mod parse;
mod test;
mod wildcard;

#[cfg(test)]
mod tests;

pub use index::Index;
pub use invalid::InvalidPattern;
pub use parse::{MOST_BRANCHES, Pattern};
