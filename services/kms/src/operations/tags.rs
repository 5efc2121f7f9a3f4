//! Tags of keys. Source: AWS KMS API Reference, TagResource.

use super::pages::page;
use crate::errors::{bad_tag, limit};
use crate::found;
use crate::names::Takes;
use crate::targets::{given_tags, own, taken_tags};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, MOST_TAGS, Operation, TagFault, check_tag_count, operation, read_tags};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(TagResource: tag_resource(TagResourceRequest), on |cx, r| given_tags(cx, &r.key_id, &r.tags)),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on |cx, r| taken_tags(cx, &r.key_id, &r.tag_keys)),
    operation!(ListResourceTags: list_resource_tags(ListResourceTagsRequest),
        on |cx, r| own(cx, &r.key_id, "kms:ListResourceTags")),
];

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    read_tags(cx, given.iter().map(|tag| (tag.tag_key.as_str(), tag.tag_value.as_str()))).map_err(wrong)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    check_tag_count(tags).map_err(wrong)
}

fn wrong(fault: TagFault) -> Error {
    match fault {
        TagFault::Reserved(_) => bad_tag("aws: prefixed tag key names are not allowed for external use."),
        TagFault::Twice(key) => bad_tag(format!("Duplicate tag key: {key}")),
        TagFault::TooMany => limit(format!("A KMS key can have at most {MOST_TAGS} tags.")),
    }
}

async fn change(
    cx: &Cx,
    key_id: &str,
    action: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>) + Send,
) -> Result<(), Error> {
    let found = found::own(cx, key_id, action)?;
    let arn = found.arn(cx);
    found::change(cx, &found, |key| {
        key.check_staying(&arn)?;
        change(&mut key.tags);
        check_count(&key.tags)
    })
    .await
}

async fn tag_resource(cx: &Cx, request: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    let tags = read(cx, &request.tags)?;
    change(cx, &request.key_id, "kms:TagResource", |kept| kept.extend(tags)).await?;
    Ok(TagResourceResponse {})
}

async fn untag_resource(cx: &Cx, request: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    let gone = request.tag_keys;
    change(cx, &request.key_id, "kms:UntagResource", |kept| kept.retain(|key, _| !gone.contains(key))).await?;
    Ok(UntagResourceResponse {})
}

async fn list_resource_tags(cx: &Cx, request: ListResourceTagsRequest) -> Result<ListResourceTagsResponse, Error> {
    let found = found::find(cx, &request.key_id, Takes::Keys)?;
    let tags: Vec<(&String, &String)> = found.key.tags.iter().collect();
    let (some, next_marker, truncated) = page(tags, |(key, _)| key, &request.marker, request.limit, 50)?;
    let tag = |(key, value): (&String, &String)| Tag { tag_key: key.clone(), tag_value: value.clone() };
    Ok(ListResourceTagsResponse { tags: some.into_iter().map(tag).collect(), next_marker, truncated })
}
