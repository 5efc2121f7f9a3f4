//! Tags of topics. Source: Amazon SNS API Reference, TagResource; Developer Guide, "Amazon SNS topic tagging".

use crate::errors::{invalid, no_resource};
use crate::names::TopicName;
use crate::records::Topic;
use crate::targets::{given, taken, topic};
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sns_shapes::*;
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest), on |cx, r| topic(cx, &r.resource_arn)),
    operation!(TagResource: tag_resource(TagResourceRequest), on |cx, r| given(cx, &r.resource_arn, &r.tags)),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on |cx, r| taken(cx, &r.resource_arn, &r.tag_keys)),
];

/// Most tags of one topic.
const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
            return Err(invalid("Tags Reason: aws: prefixed tag key names are not allowed for external use."));
        }
        if !(1..=LONGEST_KEY).contains(&tag.key.chars().count()) {
            return Err(invalid("Tags Reason: The tag key must have a length of 1 to 128 characters"));
        }
        if tag.value.chars().count() > LONGEST_VALUE {
            return Err(invalid("Tags Reason: The tag value must have a length of at most 256 characters"));
        }
        if tags.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(invalid("Duplicate keys are not allowed."));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    match own > MOST {
        true => {
            Err(Error::sender("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded"))
        }
        false => Ok(()),
    }
}

async fn change(cx: &Cx, arn: &str, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), Error> {
    let name = TopicName::parse(cx, arn)?;
    cx.store()
        .write::<_, Error>(|tx| {
            let mut topic = (*name.find_in(cx, tx).map_err(of_resource)?).clone();
            change(&mut topic.tags);
            check_count(&topic.tags)?;
            tx.put_if_changed(&name.scope, &name.name, topic)?;
            Ok(())
        })
        .await
}

/// These calls have a code of their own for what is not there.
fn of_resource(error: Error) -> Error {
    if error.is("NotFound") { no_resource() } else { error }
}

async fn tag_resource(cx: &Cx, request: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    let new = read(cx, &request.tags)?;
    change(cx, &request.resource_arn, |tags| tags.extend(new)).await?;
    Ok(TagResourceResponse {})
}

async fn untag_resource(cx: &Cx, request: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    let external = cx.source_ip().is_some();
    if external && request.tag_keys.iter().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid("Tags Reason: aws: prefixed tag key names are not allowed for external use."));
    }
    change(cx, &request.resource_arn, |tags| tags.retain(|key, _| !request.tag_keys.contains(key))).await?;
    Ok(UntagResourceResponse {})
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let topic: std::sync::Arc<Topic> = TopicName::parse(cx, &request.resource_arn)?.find(cx).map_err(of_resource)?;
    let tags = topic.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(ListTagsForResourceResponse { tags })
}
