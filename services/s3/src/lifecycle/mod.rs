//! The lifecycle of a bucket's objects: rules by which they expire, versions that are not the latest go, and uploads that
//! nobody completes are given up. Carried out once a day, after midnight UTC, by [`crate::controllers::lifecycle`].
//!
//! ```text
//! PutBucketLifecycleConfiguration ── check ── kept with the bucket ── midnight ── due (pure) ── deletes, in transactions
//! ```
//! Source: Amazon S3 User Guide, "Managing the lifecycle of objects" and its pages. Transitions are refused by name: there
//! is one storage class.

mod check;
mod due;
mod rule;
mod show;

pub use check::check;
pub use due::{Do, abort, aborted, decide, midnight_after, midnight_before};
pub use rule::{Expiration, Filter, Form, Lifecycle, Mark, Noncurrent, Rule};
pub use show::{expires, shown};
