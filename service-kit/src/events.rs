//! Events from inside: a service says what happened in the transaction of the change, and whoever has a rule about it is
//! told by the same commit.
//!
//! ```text
//! store.write(|tx| { tx.put(…the change…); cx.emit(tx, "aws.ec2", "EC2 Instance State-change Notification", || …) })
//!    ── is there a rule that could want it? no: nothing is made ── yes: matched, and a note for each target
//! ```
//! The kit knows only that somebody may listen; the service events does, so that no other depends on it. What is told
//! never makes the change fail: it happened, whether or not somebody can be told.

use crate::{Error, Scope, Timestamp, Tx};
use serde_json::Value as Json;
use std::any::Any;

/// What happened, as EventBridge's events have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// ARNs of what it happened to.
    pub resources: Vec<String>,
    /// The members that AWS documents for the source and type.
    pub detail: Json,
}

/// Who listens; installed by the service events.
pub trait Events: Any + Send + Sync {
    /// Whether a rule of the scope's default bus could be about events of that source and type: cheap, and asked first.
    ///
    /// # Errors
    /// The store cannot be read.
    fn could_want(&self, tx: &Tx<'_>, scope: &Scope, source: &str, detail_type: &str) -> Result<bool, Error>;

    /// Notes for everybody whose rule it matches that it happened.
    ///
    /// # Errors
    /// The store cannot be read or written; never that a target cannot be told.
    fn tell(&self, tx: &mut Tx<'_>, scope: &Scope, event: ToldEvent<'_>) -> Result<(), Error>;
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldEvent<'e> {
    pub source: &'e str,
    pub detail_type: &'e str,
    pub at: Timestamp,
    pub happening: Happening,
}
