//! How alarms come to their states.
//!
//! ```text
//! points, or time ──> controller cloudwatch/alarm ── read (two windows) ── judge (pure) ── change ─┐
//! another alarm's change ──> cloudwatch/composite-alarm ── rule (pure), suppressor ── change ──────┤
//!                                                     one transaction: state, history, what is to be done
//! ```

pub mod actions;
pub mod change;
mod event;
pub mod judge;
pub mod message;
pub mod read;
pub mod reason;
pub mod rule;
pub mod told;
pub mod wake;
