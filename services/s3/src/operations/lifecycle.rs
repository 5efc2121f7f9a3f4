//! The lifecycle of a bucket's objects ([`crate::lifecycle`]): set, read, removed.

use super::bucket;
use super::settings::change;
use crate::errors;
use crate::lifecycle::{check, shown};
use crate::targets::of_bucket_by;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketLifecycle: delete_lifecycle(DeleteBucketLifecycleRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutLifecycleConfiguration")),
    operation!(GetBucketLifecycleConfiguration: get_lifecycle(GetBucketLifecycleConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetLifecycleConfiguration")),
    operation!(PutBucketLifecycleConfiguration: put_lifecycle(PutBucketLifecycleConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutLifecycleConfiguration")),
];

/// Where nobody says which objects are too small to be moved, of which there are none here in any case.
const SMALLEST_MOVED: &str = "all_storage_classes_128K";

async fn put_lifecycle(
    cx: &Cx,
    input: PutBucketLifecycleConfigurationRequest,
) -> Result<PutBucketLifecycleConfigurationResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let given = input.lifecycle_configuration.ok_or_else(errors::malformed_xml)?;
    let smallest = input.transition_default_minimum_object_size;
    let lifecycle = check(cx, &given, smallest.clone())?;
    change(cx, &bucket.name, |bucket| {
        bucket.lifecycle = Some(lifecycle);
        Ok(())
    })
    .await?;
    let transition_default_minimum_object_size = Some(smallest.unwrap_or_else(|| SMALLEST_MOVED.to_owned()));
    Ok(PutBucketLifecycleConfigurationResponse { transition_default_minimum_object_size })
}

async fn get_lifecycle(
    cx: &Cx,
    input: GetBucketLifecycleConfigurationRequest,
) -> Result<GetBucketLifecycleConfigurationResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let Some(lifecycle) = &bucket.lifecycle else {
        let text = "The lifecycle configuration does not exist";
        return Err(errors::not_configured("NoSuchLifecycleConfiguration", text, &bucket.name));
    };
    let smallest = lifecycle.smallest_moved.clone();
    Ok(GetBucketLifecycleConfigurationResponse {
        rules: lifecycle.rules.iter().map(shown).collect(),
        transition_default_minimum_object_size: Some(smallest.unwrap_or_else(|| SMALLEST_MOVED.to_owned())),
    })
}

async fn delete_lifecycle(
    cx: &Cx,
    input: DeleteBucketLifecycleRequest,
) -> Result<DeleteBucketLifecycleResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    change(cx, &bucket.name, |bucket| {
        bucket.lifecycle = None;
        Ok(())
    })
    .await?;
    Ok(DeleteBucketLifecycleResponse {})
}
