//! Source: the service's API Reference, ListQueues.

use crate::records::Queue as Kept;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[operation!(ListQueues: list_queues(ListQueuesRequest), on everything)];

/// Nothing makes one yet: an answer would be made up.
async fn list_queues(cx: &Cx, _: ListQueuesRequest) -> Result<ListQueuesResponse, Error> {
    let kept = cx.store().list::<Kept>(cx.scope())?.len();
    Err(Error::not_built(format!("sqs:ListQueues (there are {kept})")))
}
