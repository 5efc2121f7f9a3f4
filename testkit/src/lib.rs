//! A whole platform in one process: the real services, controllers, runner and store, with
//! simulated machines, a hand-moved clock and seeded ids. Hours pass in milliseconds, and the same
//! seed tells the same story, word for word.
//!
//! ```text
//! simulate(async {
//!     Testkit::new(1).service(a).service(b).start().await    clock stands at 2026-01-01
//!       .call(Request)            a public operation, as the account's root user
//!       .settle() .until(…)       time passes until nothing is done any more, or until it is so
//!       .kill(instance)           fate
//!       .story()                  what was said and done, with times and plain names
//! })
//! break_each_step(…)              the same scenario, again and again, each step broken once
//! ```
//!
//! Services come in as values, so this crate knows none of them. Time is tokio's own, paused: it
//! jumps to the next timer when nothing can run, which is also what "nothing is done" means here.
//! A simulation on threads with a scheduler of our own was turned down: it would test other code
//! than the one that runs in production.

mod broken;
mod judge;
mod judged;
mod kit;
mod names;
mod story;

pub use broken::{Broken, break_each_step, break_steps};
pub use judge::Judge;
pub use judged::{Question, judged};
pub use kiln_machines_sim::{Answer, Durations, SimDriver};
pub use kit::{Builder, Chaotic, Testkit, simulate};
pub use story::Story;
