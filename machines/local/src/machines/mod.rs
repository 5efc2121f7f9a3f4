//! A machine's life on this host.
//!
//! ```text
//!                        Restarting           (by itself, or asked to)
//!                          │  ▲
//!                          ▼  │
//!  launch ─► Launching ─► Running ─► Exited   (it ended by itself)
//!                          │  ▲        │
//!                     stop │  │ start  │ start
//!                          ▼  │        ▼
//!                        Stopped ◄─────┘            terminate: gone, from any of them
//! ```
//!
//! The phase is in `machine.json` before the step it announces is taken, so
//! that `adopt` knows what a killed kiln was about to do. Only `Running` is
//! written when it is so: what was not yet told is undone.

pub mod adopt;
mod boot;
pub mod capture;
pub mod console;
pub mod copy;
pub mod disk;
mod ending;
pub mod exec;
mod inject;
pub mod interfaces;
pub mod life;
mod places;
mod record;
pub mod stage;
pub mod still;
mod watch;

pub use record::{Interfaces, Machine};
