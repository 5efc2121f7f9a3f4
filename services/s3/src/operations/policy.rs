//! The policy of a bucket: set, read, removed, and whether it is public ([`crate::policy`]).
//!
//! Its own account alone has these, whoever else a policy lets in: anybody else is told that the method is not allowed.
//! The root user of that account always may, so that no policy shuts a bucket for good. Source: Amazon S3 API
//! Reference, PutBucketPolicy.

use super::bucket;
use super::settings::change;
use crate::errors;
use crate::policy::check;
use crate::records::{Bucket, BucketPolicy};
use crate::targets::of_bucket;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketPolicy: delete_policy(DeleteBucketPolicyRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketPolicy: get_policy(GetBucketPolicyRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketPolicyStatus: get_policy_status(GetBucketPolicyStatusRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutBucketPolicy: put_policy(PutBucketPolicyRequest), on |cx, r| of_bucket(cx, &r.bucket)),
];

fn own(cx: &Cx, name: &str, expected_owner: Option<&String>) -> Result<Arc<Bucket>, Error> {
    let bucket = bucket(cx, name, expected_owner)?;
    if bucket.owner == cx.account() { Ok(bucket) } else { Err(errors::not_the_owner()) }
}

async fn put_policy(cx: &Cx, input: PutBucketPolicyRequest) -> Result<PutBucketPolicyResponse, Error> {
    let bucket = own(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let policy = check(cx, &bucket.name, &input.policy)?;
    change(cx, &bucket.name, |bucket| {
        // Of the bucket as it is now: between the look at it and this it could have been closed to the public.
        if policy.public && bucket.public_access.is_some_and(|blocked| blocked.block_policy) {
            return Err(errors::access_denied());
        }
        bucket.policy = Some(policy);
        Ok(())
    })
    .await?;
    Ok(PutBucketPolicyResponse {})
}

async fn get_policy(cx: &Cx, input: GetBucketPolicyRequest) -> Result<GetBucketPolicyResponse, Error> {
    let bucket = own(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    Ok(GetBucketPolicyResponse { policy: Some(policy_of(&bucket)?.text.clone()) })
}

async fn get_policy_status(
    cx: &Cx,
    input: GetBucketPolicyStatusRequest,
) -> Result<GetBucketPolicyStatusResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let status = PolicyStatus { is_public: Some(policy_of(&bucket)?.public) };
    Ok(GetBucketPolicyStatusResponse { policy_status: Some(status) })
}

async fn delete_policy(cx: &Cx, input: DeleteBucketPolicyRequest) -> Result<DeleteBucketPolicyResponse, Error> {
    let bucket = own(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    change(cx, &bucket.name, |bucket| {
        bucket.policy = None;
        Ok(())
    })
    .await?;
    Ok(DeleteBucketPolicyResponse {})
}

fn policy_of(bucket: &Bucket) -> Result<&BucketPolicy, Error> {
    bucket.policy.as_ref().ok_or_else(|| errors::no_such_policy(&bucket.name))
}
