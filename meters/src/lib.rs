//! What parts of kiln measure of themselves, on its way to CloudWatch's points.
//!
//! ```text
//! a service counts (plain atomics, a place for each worker)
//!    Meter::read, at every full ten seconds ──> readings ──> samples ──> kiln_points (durable) ──> alarms on them wake
//!                                                   └── not kept: waits, bounded, and goes with the next
//! ```
//! A meter is asked what it has; it never guesses. What cannot be read is left out, so that there is no point: nothing
//! turns a failure into a 0. What was counted up to a full ten seconds belongs to the second before, so that the last
//! look at a minute tells what is the minute's. Why it is built this way: `docs/decisions/0029-who-measures.md`.

mod meter;
mod reading;
mod tally;

#[cfg(test)]
mod tests;

pub use meter::{Meter, TICK, Tick, start};
pub use reading::{Dimensions, Reading};
pub use tally::Tally;
