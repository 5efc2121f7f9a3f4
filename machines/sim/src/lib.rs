//! Simulated machines: the driver's contract without a process, a mount or a namespace.
//!
//! The control plane cannot tell the difference, except that `exec` and `shell` are refused by
//! name. Durations are simulated on tokio's time, so a paused clock makes hours pass in no time and
//! the same seed tells the same story. Security groups of the recorded networks decide whether a
//! `dial` is refused or times out, as the local driver's packet filter would.
//!
//! ```text
//! SimDriver -- MachineDriver --> controllers
//!     \-- crash, power_off, fail_next_launch, set_answer --> the test, playing fate
//! ```

mod driver;
mod firewall;
mod guest;
mod images;
mod outside;
mod world;

pub use driver::{Durations, SimDriver};
pub use guest::Answer;
