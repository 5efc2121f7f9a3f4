//! Time as an argument.
//!
//! Nothing else in Kiln reads the system's clock: whoever needs the time is given a [`Clock`],
//! so the same code runs for real and in a simulation where a test moves time by hand.
//!
//! A simulated clock follows tokio's own clock (`tokio::time::pause` and `advance`) instead of
//! keeping a second one. Timers and timestamps then can never disagree: a sleep of 60 s ends
//! exactly when `now()` is 60 s later.

mod clock;
mod timestamp;

pub use clock::Clock;
pub use timestamp::{ParseTimestampError, Timestamp};
