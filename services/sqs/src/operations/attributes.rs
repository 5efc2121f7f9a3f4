//! What a queue is like, and how many messages it has. Source: SQS API Reference, GetQueueAttributes,
//! SetQueueAttributes.

use super::{change, messages};
use crate::attributes::is_attribute;
use crate::errors::{attribute_name, missing, no_queue};
use crate::place::{arn, find, own};
use crate::targets::{own_queue, queue};
use kiln_service_kit::{Cx, Error, Map, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetQueueAttributes: get_queue_attributes(GetQueueAttributesRequest),
        on |cx, r| queue(cx, &r.queue_url)),
    operation!(SetQueueAttributes: set_queue_attributes(SetQueueAttributesRequest),
        on |cx, r| own_queue(cx, &r.queue_url)),
];

async fn get_queue_attributes(
    cx: &Cx,
    request: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let wanted = &request.attribute_names;
    if let Some(other) = wanted.iter().find(|name| *name != "All" && !is_attribute(name)) {
        return Err(attribute_name(other));
    }
    let all = wanted.iter().any(|name| name == "All");
    let is_wanted = |name: &str| all || wanted.iter().any(|wanted| wanted == name);
    let queue = &found.queue;
    let settings = &queue.settings;
    let mut shown = settings.shown();
    shown.insert("QueueArn", arn(cx, &found.scope, &queue.name));
    shown.insert("CreatedTimestamp", queue.created.epoch_seconds().to_string());
    shown.insert("LastModifiedTimestamp", queue.modified.epoch_seconds().to_string());
    const COUNTS: [&str; 3] =
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];
    if COUNTS.iter().any(|name| is_wanted(name)) {
        let (number, now) = (queue.number, cx.now().millis());
        let since = settings.fifo.map(|_| now - settings.delay * 1_000);
        let counts = messages(cx)?.run(move |table| table.counts(number, now, since)).await?;
        let counts = counts.ok_or_else(|| no_queue(cx))?;
        for (name, count) in COUNTS.into_iter().zip([counts.waiting, counts.in_flight, counts.delayed]) {
            shown.insert(name, count.to_string());
        }
    }
    let attributes: Map<String> =
        shown.into_iter().filter(|(name, _)| is_wanted(name)).map(|(name, text)| (name.to_owned(), text)).collect();
    Ok(GetQueueAttributesResponse { attributes })
}

async fn set_queue_attributes(
    cx: &Cx,
    request: SetQueueAttributesRequest,
) -> Result<SetQueueAttributesResponse, Error> {
    let found = own(cx, &request.queue_url)?;
    if request.attributes.is_empty() {
        return Err(missing("Attribute.Name"));
    }
    // What it says of other queues is looked up before: they may change meanwhile in any case.
    let mut settings = found.queue.settings.clone();
    settings.take(cx, &found.scope, &found.queue.name, &request.attributes)?;
    let (number, now) = (found.queue.number, cx.now());
    let mut retention = None;
    change(cx, &found, |queue| {
        let before = queue.settings.clone();
        queue.settings.take(cx, &found.scope, &found.queue.name, &request.attributes)?;
        if before != queue.settings {
            queue.modified = now;
        }
        retention = Some(queue.settings.retention_millis()).filter(|_| before.retention != queue.settings.retention);
        Ok(())
    })
    .await?;
    if let Some(retention) = retention {
        messages(cx)?.run(move |table| table.put_queue(number, retention)).await?;
    }
    Ok(SetQueueAttributesResponse {})
}
