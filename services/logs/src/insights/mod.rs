//! The query language of Logs Insights: read, then carried through events one by one. Pure: no I/O, no clock.
//!
//! ```text
//! text ─► lexer ─► parser ─► Query (steps, fields by number) ─► Run: each event ─► rows
//! ```
//! Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax". What a query may cost is bounded:
//! its depth and length when it is read, its memory while it runs; expressions go through the crate `regex`.

mod aggregate;
mod eval;
mod functions;
mod glob;
mod lexer;
mod parser;
mod query;
mod run;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use eval::Seen;
pub use query::Query;
pub use run::{Rows, Run};

use std::ops::Range;

/// Rows that a query answers at most. Source: StartQuery, `limit`.
pub const MOST_ROWS: usize = 100_000;

/// Why a text is no query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} (characters {} to {})", place.start, place.end)]
pub struct BadQuery {
    pub text: String,
    pub place: Range<usize>,
    /// A command of AWS's that Kiln does not have.
    pub not_built: Option<String>,
}

impl BadQuery {
    fn at(place: Range<usize>, text: impl Into<String>) -> Self {
        Self { text: text.into(), place, not_built: None }
    }
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        parser::parse(text)
    }
}
