//! The policies of buckets: what is taken for one, what makes one public, and who gets to hear it.
//!
//! ```text
//! PutBucketPolicy ── read ── check (S3's words for what is wrong) ── public? ── kept with the bucket
//! a call ── its targets, each with its bucket's owner and policy (heard) ── the kit judges
//! ```
//! How a policy is weighed against the caller's own is the kit's (`service-kit/src/target.rs`) and the crate
//! `policy`'s. Here is what only S3 knows: which actions there are and on what, which condition keys have a value, and
//! what "public" means.

mod actions;
mod check;
mod keys;
mod public;
mod statement;

pub use check::check;

use crate::arn::bucket_arn;
use crate::records::{Bucket, PublicAccess};
use kiln_service_kit::{CallerKind, Cx, Owned};

/// Whose a bucket is, and its policy where the caller is to be judged by it.
///
/// While public buckets are restricted, one with a public policy is for its own account and AWS's services only:
/// nobody else gets to hear its policy, also what it says of them by name.
pub fn owned(cx: &Cx, bucket: &Bucket) -> Owned {
    let caller = cx.caller();
    let of_owner = caller.account == bucket.owner;
    let is_service = matches!(caller.kind, CallerKind::Service { .. });
    // The root user of its own account needs no policy, and obeys none.
    let is_its_root = of_owner && caller.kind == CallerKind::Root;
    let restricted = bucket.public_access.is_some_and(|PublicAccess { restrict, .. }| restrict);
    let heard = |public: bool| !is_its_root && (of_owner || is_service || !(restricted && public));
    let policy = bucket.policy.as_ref().filter(|policy| heard(policy.public));
    Owned {
        account: bucket.owner.clone(),
        name: bucket_arn(cx, &bucket.name),
        policy: policy.map(|policy| policy.text.as_str().into()),
    }
}
