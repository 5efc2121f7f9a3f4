//! Metric math. Source: the user guide, "Using math expressions with CloudWatch metrics".
//!
//! ```text
//! text ── parse (bounded in length and depth) ──> Expression ── evaluate ──> Value: a number, a series, a list of series
//! ```
//! A series has no value where one cannot be computed: nothing was measured, a division by zero, the logarithm of a
//! negative number. What is documented and not built is refused by name when the text is read.

mod evaluate;
mod frame;
mod functions;
mod parse;
mod series;
mod times;

#[cfg(test)]
mod tests;

pub use evaluate::evaluate;
pub use frame::Frame;
pub use functions::{BUILT, NOT_BUILT};
pub use parse::{Expression, parse};
pub use series::{Series, Value};
