//! Tags of buckets and of objects.

use super::bucket;
use crate::errors;
use crate::records::{Bucket, all_buckets};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketTagging: delete_bucket_tagging(DeleteBucketTaggingRequest)),
    operation!(DeleteObjectTagging: delete_object_tagging(DeleteObjectTaggingRequest)),
    operation!(GetBucketTagging: get_bucket_tagging(GetBucketTaggingRequest)),
    operation!(GetObjectTagging: get_object_tagging(GetObjectTaggingRequest)),
    operation!(PutBucketTagging: put_bucket_tagging(PutBucketTaggingRequest)),
    operation!(PutObjectTagging: put_object_tagging(PutObjectTaggingRequest)),
];

type Tags = BTreeMap<String, String>;

pub const MOST_OF_BUCKET: usize = 50;
const MOST_OF_OBJECT: usize = 10;

/// The tags of a list; each key once, and within AWS's lengths.
pub fn to_map(given: &[Tag], most: usize) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in given {
        if tag.key.is_empty() || tag.key.chars().count() > 128 {
            return Err(errors::invalid_tag("The TagKey you have provided is invalid"));
        }
        if tag.value.chars().count() > 256 {
            return Err(errors::invalid_tag("The TagValue you have provided is invalid"));
        }
        if tags.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(errors::invalid_tag("Cannot provide multiple Tags with the same key"));
        }
    }
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if own > most {
        let what = if most == MOST_OF_OBJECT { "Object tags" } else { "Bucket tag count" };
        return Err(Error::sender("BadRequest", format!("{what} cannot be greater than {most}")));
    }
    Ok(tags)
}

/// The tags of an object in a header: `key=value&key=value`.
pub fn from_header(header: Option<&str>) -> Result<Tags, Error> {
    let pairs = form_urlencoded::parse(header.unwrap_or("").as_bytes());
    let tags: Vec<Tag> = pairs.map(|(key, value)| Tag { key: key.into_owned(), value: value.into_owned() }).collect();
    object_tags(&tags)
}

fn object_tags(given: &[Tag]) -> Result<Tags, Error> {
    let tags = to_map(given, MOST_OF_OBJECT)?;
    no_system_tags(&tags)?;
    Ok(tags)
}

fn no_system_tags(tags: &Tags) -> Result<(), Error> {
    match tags.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        true => Err(errors::invalid_tag("System tags cannot be added/updated by requester")),
        false => Ok(()),
    }
}

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
                let system = |key: &String| key.to_ascii_lowercase().starts_with("aws:");
                // Sent back as they were read they change nothing.
                if tags.iter().any(|(key, value)| system(key) && found.tags.get(key) != Some(value)) {
                    return Err(errors::invalid_tag("System tags cannot be added/updated by requester"));
                }
                tags.extend(found.tags.iter().filter(|(key, _)| system(key)).map(|(k, v)| (k.clone(), v.clone())));
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
    let version_id = set_object_tags(cx, &bucket, &input.key, input.version_id.as_deref(), tags).await?;
    Ok(PutObjectTaggingResponse { version_id })
}

async fn delete_object_tagging(
    cx: &Cx,
    input: DeleteObjectTaggingRequest,
) -> Result<DeleteObjectTaggingResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let version_id = set_object_tags(cx, &bucket, &input.key, input.version_id.as_deref(), Tags::new()).await?;
    Ok(DeleteObjectTaggingResponse { version_id })
}

/// The version that has them now, where the bucket has versions.
async fn set_object_tags(
    cx: &Cx,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    tags: Tags,
) -> Result<Option<String>, Error> {
    let found = versions::find(cx.store(), &bucket.name, key, version)?;
    cx.store().write(|tx| versions::change(tx, &bucket.name, key, version, |object| object.tags = tags)).await?;
    Ok(bucket.versioning.map(|_| found.place.version.clone()))
}
