//! Tags of buckets and of objects.

use super::{bucket, still_there};
use crate::errors;
use crate::notifications::{Event, Thing, tell};
use crate::records::{Bucket, all_buckets};
use crate::tagging::{MOST_OF_BUCKET, Tags, is_system, object_tags, to_map};
use crate::targets::{of_bucket, of_bucket_by, of_kept, with_tags};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketTagging: delete_bucket_tagging(DeleteBucketTaggingRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketTagging")),
    operation!(DeleteObjectTagging: delete_object_tagging(DeleteObjectTaggingRequest),
        on |cx, r| of_kept(cx, &r.bucket, &r.key, &r.version_id, ["s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"])),
    operation!(GetBucketTagging: get_bucket_tagging(GetBucketTaggingRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetObjectTagging: get_object_tagging(GetObjectTaggingRequest),
        on |cx, r| of_kept(cx, &r.bucket, &r.key, &r.version_id, ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"])),
    operation!(PutBucketTagging: put_bucket_tagging(PutBucketTaggingRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutObjectTagging: put_object_tagging(PutObjectTaggingRequest),
        on |cx, r| Ok::<_, Error>(with_tags(
            of_kept(cx, &r.bucket, &r.key, &r.version_id, ["s3:PutObjectTagging", "s3:PutObjectVersionTagging"])?,
            r.tagging.tag_set.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))),
];

fn to_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

async fn get_bucket_tagging(cx: &Cx, input: GetBucketTaggingRequest) -> Result<GetBucketTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    if bucket.tags.is_empty() {
        return Err(errors::not_configured("NoSuchTagSet", "The TagSet does not exist", &bucket.name));
    }
    Ok(GetBucketTaggingResponse { tag_set: to_list(&bucket.tags) })
}

async fn put_bucket_tagging(cx: &Cx, input: PutBucketTaggingRequest) -> Result<PutBucketTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let tags = to_map(&input.tagging.tag_set, MOST_OF_BUCKET)?;
    set_bucket_tags(cx, &bucket, tags).await?;
    Ok(PutBucketTaggingResponse {})
}

async fn delete_bucket_tagging(
    cx: &Cx,
    input: DeleteBucketTaggingRequest,
) -> Result<DeleteBucketTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    set_bucket_tags(cx, &bucket, Tags::new()).await?;
    Ok(DeleteBucketTaggingResponse {})
}

/// The tags that CloudFormation put on are set by nobody else, and stay.
async fn set_bucket_tags(cx: &Cx, bucket: &Bucket, mut tags: Tags) -> Result<(), Error> {
    let from_outside = cx.source_ip().is_some();
    cx.store()
        .write(|tx| {
            let found = tx.get::<Bucket>(&all_buckets(), &bucket.name)?;
            let found: Arc<Bucket> = found.ok_or_else(|| errors::no_such_bucket(&bucket.name))?;
            let mut found = Bucket::clone(&found);
            if from_outside {
                // Sent back as they were read they change nothing.
                let changed = tags.iter().find(|(key, value)| is_system(key) && found.tags.get(*key) != Some(*value));
                if let Some((key, _)) = changed {
                    return Err(errors::invalid_tag("System tags cannot be added/updated by requester", key));
                }
                tags.extend(found.tags.iter().filter(|(key, _)| is_system(key)).map(|(k, v)| (k.clone(), v.clone())));
            }
            found.tags = tags;
            tx.put(&all_buckets(), &bucket.name, found)?;
            Ok::<_, Error>(())
        })
        .await
}

async fn get_object_tagging(cx: &Cx, input: GetObjectTaggingRequest) -> Result<GetObjectTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let object = versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    let version_id = bucket.versioning.map(|_| object.place.version.clone());
    Ok(GetObjectTaggingResponse { version_id, tag_set: to_list(&object.tags) })
}

async fn put_object_tagging(cx: &Cx, input: PutObjectTaggingRequest) -> Result<PutObjectTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let tags = object_tags(&input.tagging.tag_set)?;
    let version_id = set_object_tags(cx, &bucket, &input.key, input.version_id.as_deref(), tags, Event::Tagged).await?;
    Ok(PutObjectTaggingResponse { version_id })
}

async fn delete_object_tagging(
    cx: &Cx,
    input: DeleteObjectTaggingRequest,
) -> Result<DeleteObjectTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let version = input.version_id.as_deref();
    let version_id = set_object_tags(cx, &bucket, &input.key, version, Tags::new(), Event::Untagged).await?;
    Ok(DeleteObjectTaggingResponse { version_id })
}

/// The version that has them now, where the bucket has versions.
async fn set_object_tags(
    cx: &Cx,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    tags: Tags,
    event: Event,
) -> Result<Option<String>, Error> {
    versions::find(cx.store(), &bucket.name, key, version)?;
    cx.store()
        .write(|tx| {
            let bucket = still_there(tx, &bucket.name)?;
            versions::change(tx, &bucket.name, key, version, |object| object.tags = tags)?;
            // As it is now: since it was found it could have been replaced.
            let now = versions::of_key(tx, &bucket.name, key, version)?.ok_or_else(|| errors::no_such_key(key))?;
            let (etag, of) = (Some(now.etag.as_str()), Some(now.place.version.as_str()));
            tell(tx, cx, &bucket, event, &Thing { key, etag, version: of, size: None })?;
            Ok(bucket.versioning.map(|_| now.place.version.clone()))
        })
        .await
}
