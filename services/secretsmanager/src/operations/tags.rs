//! Tags of secrets. Source: AWS Secrets Manager API Reference, TagResource.

use super::new_version::change;
use crate::errors::{limit, parameter};
use crate::targets::{given, secret};
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(TagResource: tag_resource(TagResourceRequest),
        on |cx, r| secret(cx, &r.secret_id).map(|target| given(target, &r.tags))),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on |cx, r| {
        let tagged = secret(cx, &r.secret_id)?;
        Ok::<_, Error>(r.tag_keys.iter().fold(tagged, |target, key| target.with("aws:TagKeys", key)))
    }),
];

/// Most tags of one secret, without AWS's own.
const MOST: usize = 50;

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for tag in given {
        let key = tag.key.clone().ok_or_else(|| parameter("A tag must have a key."))?;
        if key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
            return Err(parameter("Tag keys that begin with aws: are reserved for use by AWS."));
        }
        if tags.contains_key(&key) {
            return Err(parameter(format!("The tag key {key} is given twice.")));
        }
        tags.insert(key, tag.value.clone().unwrap_or_else(String::new));
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    match tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST {
        true => Err(limit(format!("A secret can have at most {MOST} tags."))),
        false => Ok(()),
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
