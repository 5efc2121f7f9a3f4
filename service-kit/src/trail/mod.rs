//! The trail: every management call as CloudTrail's record of it.
//!
//! ```text
//! invoke ── begin: what is asked, without secrets ── the call ── end: the record ─▶ listener (events)
//!                     a write: a line in the spool, before its answer ◀───┤
//!                                                              waiting ◀──┘ ── each second ─▶ journal (90 days, 250,000)
//! ```
//! Not among them, as in AWS: data events ([`Service::data_events`](crate::Service::data_events)). And what is only Kiln's
//! own way of doing things: what its services read by themselves, or within another call.
//!
//! Writes are durable: a `kill -9` takes none that was answered. Reads are told as far as they can be written in time; how
//! many there were besides is told in their place (docs/decisions/0030-trail.md).

mod class;
mod event;
mod log;
mod spool;
mod telling;

#[cfg(test)]
mod tests;

pub(crate) use class::Classes;
pub(crate) use log::KEPT;
pub use log::{Found, Listener, Place, Trail, TrailRecord, Wanted};
pub(crate) use telling::{Begun, begin, end};
