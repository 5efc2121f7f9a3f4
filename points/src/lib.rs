//! What was measured, on disk: points by metric and time, durable before the answer, rolled up as they age.
//!
//! ```text
//! put ──> one commit for all who wait (table `fresh`: what was said, as it came) ──> memory (bounded) ──> answer
//!                                   memory is full, or a minute old ──> chunks of every level, `fresh` emptied: one commit
//! read ──> chunks of the level that fits + what is in memory ──> one point for each period
//! ```
//!
//! A metric's points are kept in four levels, each for as long as CloudWatch's documents say: of 1 s for 3 hours
//! (where it was published so), of 60 s for 15 days, of 300 s for 63 days, of 3600 s for 455 days. A level's points
//! of some hours lie together in one row. Memory holds what came in the last minute and a page cache of fixed size,
//! whatever is kept. Why it is built this way: `docs/decisions/0026-metrics-store.md`.

mod bytes;
mod chunk;
mod disk;
mod distribution;
mod error;
mod fresh;
mod level;
mod metric;
mod point;
mod points;
mod read;
mod series;
pub mod units;
mod writer;

#[cfg(test)]
mod tests;

pub use distribution::Distribution;
pub use error::PointsError;
pub use metric::{Listed, Metric, Wanted};
pub use point::{Observed, Point, Sample};
pub use points::Points;
pub use read::{Bucket, Query};
