//! Notifications: what a bucket's owner wants to be told of its objects, where, and the message.
//!
//! ```text
//! PutBucketNotificationConfiguration ── check (S3's rules) ── a test message to each target ── kept with the bucket
//! a change of an object ── store.write(|tx| the change; tell(tx, …)) ──┬─ kiln-delivery ── queue, topic
//!                                                                      └─ cx.emit ── the owner's default bus
//! ```
//! What is told is a note in the transaction of the change: either both are kept or neither. That the target's policy lets
//! S3 in is seen with the test message, and again with each that is carried.

mod bus;
mod check;
mod event;
mod message;
mod tell;

pub use check::{check, try_targets};
pub use event::{Event, Rule, Thing, To};
pub use tell::tell;

/// S3 as the services that it tells know it.
pub const PRINCIPAL: &str = "s3.amazonaws.com";
