//! All messages of a queue go. Source: SQS API Reference, PurgeQueue.

use super::{change, messages};
use crate::place::find;
use crate::targets::queue;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;
use std::time::Duration;

pub const OPERATIONS: &[Operation] =
    &[operation!(PurgeQueue: purge_queue(PurgeQueueRequest), on |cx, r| queue(cx, &r.queue_url))];

/// How often a queue can be purged.
const EVERY: Duration = Duration::from_secs(60);

/// Done when it is answered: AWS takes up to a minute.
async fn purge_queue(cx: &Cx, request: PurgeQueueRequest) -> Result<PurgeQueueResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let now = cx.now();
    change(cx, &found, |queue| {
        if queue.purged.is_some_and(|last| now < last + EVERY) {
            let text = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name);
            return Err(Error::sender("PurgeQueueInProgress", text).with_status(403));
        }
        queue.purged = Some(now);
        Ok(())
    })
    .await?;
    let (messages, number, now) = (messages(cx)?, found.queue.number, now.millis());
    // What is sent meanwhile stays.
    let until = messages.run(move |table| Ok(table.newest(now))).await?;
    while messages.run(move |table| table.purge(number, until)).await? {}
    Ok(PurgeQueueResponse {})
}
