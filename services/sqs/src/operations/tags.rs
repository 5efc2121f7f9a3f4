//! Tags of queues. Source: SQS API Reference, TagQueue, UntagQueue, ListQueueTags; SQS Developer Guide, "Quotas related
//! to queues".

use super::change;
use crate::errors::parameter;
use crate::place::own;
use crate::targets::own_queue;
use kiln_service_kit::{Cx, Error, Map, Operation, Target, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListQueueTags: list_queue_tags(ListQueueTagsRequest), on |cx, r| own_queue(cx, &r.queue_url)),
    operation!(TagQueue: tag_queue(TagQueueRequest), on |cx, r| tagged(cx, &r.queue_url, &r.tags)),
    operation!(UntagQueue: untag_queue(UntagQueueRequest), on |cx, r| untagged(cx, &r.queue_url, &r.tag_keys)),
];

/// Tags of one queue, beside those that services set.
const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

fn tagged(cx: &Cx, url: &str, tags: &Map<String>) -> Result<Target, Error> {
    Ok(own_queue(cx, url)?.given_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
}

fn untagged(cx: &Cx, url: &str, keys: &[String]) -> Result<Target, Error> {
    Ok(keys.iter().fold(own_queue(cx, url)?, |target, key| target.with("aws:TagKeys", key)))
}

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn check_tags(cx: &Cx, tags: &Map<String>) -> Result<(), Error> {
    for (key, value) in tags {
        if key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
            return Err(parameter("Tag keys that begin with aws: are reserved."));
        }
        let good = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.is_empty() || key.chars().count() > LONGEST_KEY || !key.chars().all(good) {
            return Err(parameter(format!("A tag key has 1 to {LONGEST_KEY} letters, digits, spaces and _.:/=+-@.")));
        }
        if value.chars().count() > LONGEST_VALUE || !value.chars().all(good) {
            return Err(parameter(format!(
                "A tag value has at most {LONGEST_VALUE} letters, digits, spaces and _.:/=+-@."
            )));
        }
    }
    check_count(tags.keys())
}

fn check_count<'k>(keys: impl Iterator<Item = &'k String>) -> Result<(), Error> {
    match keys.filter(|key| !key.starts_with("aws:")).count() > MOST {
        true => Err(parameter(format!("Too many tags added for queue: at most {MOST} are allowed."))),
        false => Ok(()),
    }
}

async fn list_queue_tags(cx: &Cx, request: ListQueueTagsRequest) -> Result<ListQueueTagsResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    Ok(ListQueueTagsResponse { tags: found.queue.tags.clone() })
}

async fn tag_queue(cx: &Cx, request: TagQueueRequest) -> Result<TagQueueResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    check_tags(cx, &request.tags)?;
    change(cx, &found, |queue| {
        queue.tags.extend(request.tags);
        check_count(queue.tags.keys())
    })
    .await?;
    Ok(TagQueueResponse {})
}

async fn untag_queue(cx: &Cx, request: UntagQueueRequest) -> Result<UntagQueueResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    change(cx, &found, |queue| {
        queue.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagQueueResponse {})
}
