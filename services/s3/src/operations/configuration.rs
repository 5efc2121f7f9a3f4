//! What is asked of a bucket's configuration: the truth of a bucket that was just made, since little of
//! this can be set ([`super::settings`], [`super::versions`], [`super::policy`]): every object is sealed with AES-256,
//! access control lists are off.

use super::bucket;
use crate::errors;
use crate::records::Bucket;
use crate::targets::{of_bucket, of_bucket_by};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetBucketAccelerateConfiguration: get_accelerate(GetBucketAccelerateConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetAccelerateConfiguration")),
    operation!(GetBucketLogging: get_logging(GetBucketLoggingRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketOwnershipControls: get_ownership(GetBucketOwnershipControlsRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketReplication: get_replication(GetBucketReplicationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetReplicationConfiguration")),
    operation!(GetBucketRequestPayment: get_payment(GetBucketRequestPaymentRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketWebsite: get_website(GetBucketWebsiteRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetObjectLockConfiguration: get_object_lock(GetObjectLockConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetBucketObjectLockConfiguration")),
];

/// An operation that answers the same of every bucket that is there.
macro_rules! of_each_bucket {
    ($($name:ident: $request:ident => $response:ident, |$bucket:ident| $answer:expr;)*) => { $(
        async fn $name(cx: &Cx, input: $request) -> Result<$response, Error> {
            let $bucket = &*bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
            $answer
        }
    )* };
}

of_each_bucket! {
    get_accelerate: GetBucketAccelerateConfigurationRequest => GetBucketAccelerateConfigurationResponse,
        |bucket| Ok(accelerate(bucket));
    get_logging: GetBucketLoggingRequest => GetBucketLoggingResponse, |_bucket| Ok(Default::default());
    get_ownership: GetBucketOwnershipControlsRequest => GetBucketOwnershipControlsResponse, |bucket| ownership(bucket);
    get_replication: GetBucketReplicationRequest => GetBucketReplicationResponse,
        |bucket| Err(not_configured(
            "ReplicationConfigurationNotFoundError", "The replication configuration was not found", bucket));
    get_payment: GetBucketRequestPaymentRequest => GetBucketRequestPaymentResponse,
        |_bucket| Ok(GetBucketRequestPaymentResponse { payer: Some("BucketOwner".to_owned()) });
    get_website: GetBucketWebsiteRequest => GetBucketWebsiteResponse,
        |bucket| Err(not_configured(
            "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", bucket));
    get_object_lock: GetObjectLockConfigurationRequest => GetObjectLockConfigurationResponse,
        |bucket| Err(not_configured(
            "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", bucket));
}

fn ownership(bucket: &Bucket) -> Result<GetBucketOwnershipControlsResponse, Error> {
    if bucket.said.no_ownership {
        let text = "The bucket ownership controls were not found";
        return Err(not_configured("OwnershipControlsNotFoundError", text, bucket));
    }
    let rule = OwnershipControlsRule { object_ownership: bucket.ownership.name().to_owned() };
    Ok(GetBucketOwnershipControlsResponse { ownership_controls: Some(OwnershipControls { rules: vec![rule] }) })
}

fn accelerate(bucket: &Bucket) -> GetBucketAccelerateConfigurationResponse {
    let status = bucket.said.acceleration.then(|| "Suspended".to_owned());
    GetBucketAccelerateConfigurationResponse { status, ..Default::default() }
}

fn not_configured(code: &'static str, message: &str, bucket: &Bucket) -> Error {
    errors::not_configured(code, message, &bucket.name)
}
