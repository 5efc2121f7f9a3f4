//! Tags of secrets. Source: AWS Secrets Manager API Reference, TagResource.

use super::new_version::change;
use crate::errors::{limit, parameter};
use crate::targets::{given, secret};
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, MOST_TAGS, Operation, TagFault, check_tag_count, operation, read_tags};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(TagResource: tag_resource(TagResourceRequest),
        on |cx, r| secret(cx, &r.secret_id).map(|target| given(target, &r.tags))),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on |cx, r| {
        let tagged = secret(cx, &r.secret_id)?;
        Ok::<_, Error>(r.tag_keys.iter().fold(tagged, |target, key| target.with("aws:TagKeys", key)))
    }),
];

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let pairs = given.iter().map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref().unwrap_or(""))));
    let pairs: Option<Vec<_>> = pairs.collect();
    read_tags(cx, pairs.ok_or_else(|| parameter("A tag must have a key."))?).map_err(wrong)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    check_tag_count(tags).map_err(wrong)
}

fn wrong(fault: TagFault) -> Error {
    match fault {
        TagFault::Reserved(_) => parameter("Tag keys that begin with aws: are reserved for use by AWS."),
        TagFault::Twice(key) => parameter(format!("The tag key {key} is given twice.")),
        TagFault::TooMany => limit(format!("A secret can have at most {MOST_TAGS} tags.")),
    }
}

/// As answers show them.
pub fn shown(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

async fn tag_resource(cx: &Cx, request: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    let tags = read(cx, &request.tags)?;
    change(cx, &request.secret_id, |_, _, secret| {
        secret.tags.extend(tags);
        check_count(&secret.tags)
    })
    .await?;
    Ok(TagResourceResponse {})
}

async fn untag_resource(cx: &Cx, request: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    change(cx, &request.secret_id, |_, _, secret| {
        secret.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagResourceResponse {})
}
