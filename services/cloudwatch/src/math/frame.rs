//! What an expression can see beside its own text.

use super::series::{Series, Value};
use std::collections::BTreeMap;

/// Points that one series may be filled up to.
const MOST_TIMES: i64 = 100_800;

/// What an expression can see.
pub struct Frame<'f> {
    /// Values of queries by their ids.
    pub values: &'f BTreeMap<String, Value>,
    /// Those that are metrics, in the order of the request.
    pub metrics: &'f [(String, Series)],
    /// Series that each search found, by its arguments.
    pub found: &'f BTreeMap<String, Vec<Series>>,
    /// Seconds since 1970, the last without.
    pub from: i64,
    pub to: i64,
    /// Of a series that is made of a number.
    pub period: i64,
}

impl Frame<'_> {
    /// The beginnings of all periods.
    pub fn times(&self, period: i64) -> Result<impl Iterator<Item = i64> + use<>, String> {
        let period = period.max(1);
        let (from, to) = (self.from, self.to);
        match (to - from) / period > MOST_TIMES {
            true => Err(format!("more than {MOST_TIMES} points would have to be made")),
            false => Ok((0..).map(move |n| from + n * period).take_while(move |at| *at < to)),
        }
    }
}
