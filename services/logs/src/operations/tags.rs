//! Tags of log groups. Source: CloudWatch Logs API Reference, TagResource.

use crate::errors::invalid;
use crate::names::{change, group, of_identifier};
use crate::targets;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, Target, operation};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest), on |cx, r| targets::by_arn(cx, &r.resource_arn)),
    operation!(ListTagsLogGroup: list_tags_log_group(ListTagsLogGroupRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(TagLogGroup: tag_log_group(TagLogGroupRequest), on |cx, r| given(targets::group(cx, &r.log_group_name)?, &r.tags)),
    operation!(TagResource: tag_resource(TagResourceRequest), on |cx, r| given(targets::by_arn(cx, &r.resource_arn)?, &r.tags)),
    operation!(UntagLogGroup: untag_log_group(UntagLogGroupRequest), on |cx, r| taken(targets::group(cx, &r.log_group_name)?, &r.tags)),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on |cx, r| taken(targets::by_arn(cx, &r.resource_arn)?, &r.tag_keys)),
];

/// Tags of one group.
const MOST: usize = 50;

fn given(target: Target, tags: &Map<String>) -> Result<Target, Error> {
    Ok(target.given_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
}

fn taken(target: Target, keys: &[String]) -> Result<Target, Error> {
    Ok(keys.iter().fold(target, |target, key| target.with("aws:TagKeys", key)))
}

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &Map<String>) -> Result<BTreeMap<String, String>, Error> {
    if cx.source_ip().is_some() && given.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
    }
    let tags: BTreeMap<String, String> = given.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    check(&tags)?;
    Ok(tags)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    match tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST {
        true => Err(Error::sender("TooManyTagsException", format!("A resource can have no more than {MOST} tags."))),
        false => Ok(()),
    }
}

async fn add(cx: &Cx, name: &str, tags: &Map<String>) -> Result<(), Error> {
    let new = read(cx, tags)?;
    change(cx, name, |group| {
        group.tags.extend(new);
        check(&group.tags)
    })
    .await
}

async fn remove(cx: &Cx, name: &str, keys: &[String]) -> Result<(), Error> {
    change(cx, name, |group| {
        group.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await
}

fn listed(cx: &Cx, name: &str) -> Result<Map<String>, Error> {
    Ok(group(cx, name)?.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    Ok(ListTagsForResourceResponse { tags: listed(cx, of_identifier(cx, &request.resource_arn)?)? })
}

async fn list_tags_log_group(cx: &Cx, request: ListTagsLogGroupRequest) -> Result<ListTagsLogGroupResponse, Error> {
    Ok(ListTagsLogGroupResponse { tags: listed(cx, &request.log_group_name)? })
}

async fn tag_resource(cx: &Cx, request: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    add(cx, of_identifier(cx, &request.resource_arn)?, &request.tags).await?;
    Ok(TagResourceResponse {})
}

async fn tag_log_group(cx: &Cx, request: TagLogGroupRequest) -> Result<TagLogGroupResponse, Error> {
    add(cx, &request.log_group_name, &request.tags).await?;
    Ok(TagLogGroupResponse {})
}

async fn untag_resource(cx: &Cx, request: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    remove(cx, of_identifier(cx, &request.resource_arn)?, &request.tag_keys).await?;
    Ok(UntagResourceResponse {})
}

async fn untag_log_group(cx: &Cx, request: UntagLogGroupRequest) -> Result<UntagLogGroupResponse, Error> {
    remove(cx, &request.log_group_name, &request.tags).await?;
    Ok(UntagLogGroupResponse {})
}
