//! Whose dead letters a queue takes. Source: SQS API Reference, ListDeadLetterSourceQueues.

use super::queues::{bad_token, page_size};
use crate::place::{arn, find, url};
use crate::records::Queue;
use crate::targets::queue;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[operation!(ListDeadLetterSourceQueues:
    list_dead_letter_source_queues(ListDeadLetterSourceQueuesRequest), on |cx, r| queue(cx, &r.queue_url))];

async fn list_dead_letter_source_queues(
    cx: &Cx,
    request: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let limit = page_size(request.max_results, request.next_token.as_deref())?;
    let target = arn(cx, &found.scope, &found.queue.name);
    let sources = cx.store().by_key::<Queue>(&found.scope, Queue::BY_DEAD_LETTERS, &target)?;
    let page = paginate(sources, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    Ok(ListDeadLetterSourceQueuesResponse {
        queue_urls: page.items.iter().map(|(name, _)| url(cx, &found.scope.account, name)).collect(),
        next_token: page.next_token.filter(|_| request.max_results.is_some()),
    })
}
