//! How long a message in flight stays invisible. Source: SQS API Reference, ChangeMessageVisibility,
//! ChangeMessageVisibilityBatch.

use super::batch::{Entry, check_entries, failed};
use super::messages;
use super::receive::check_visibility;
use crate::errors::{missing, no_queue, value};
use crate::messages::{Handle, Visibility};
use crate::place::{Found, find};
use crate::receipt;
use crate::targets::queue;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(ChangeMessageVisibility: change_message_visibility(ChangeMessageVisibilityRequest),
        on |cx, r| queue(cx, &r.queue_url)),
    operation!(ChangeMessageVisibilityBatch: change_message_visibility_batch(ChangeMessageVisibilityBatchRequest),
        on |cx, r| Ok(queue(cx, &r.queue_url)?.by("sqs:ChangeMessageVisibility"))),
];

async fn change_message_visibility(
    cx: &Cx,
    request: ChangeMessageVisibilityRequest,
) -> Result<ChangeMessageVisibilityResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let (handle, seconds) = (&request.receipt_handle, i64::from(request.visibility_timeout));
    check_visibility(seconds)?;
    let change = (receipt::read(handle, found.queue.number)?, seconds);
    for done in make(cx, &found, vec![change]).await? {
        told(cx, done, handle, seconds)?;
    }
    Ok(ChangeMessageVisibilityResponse {})
}

async fn make(cx: &Cx, found: &Found, changes: Vec<(Handle, i64)>) -> Result<Vec<Visibility>, Error> {
    debug_assert!(changes.iter().all(|(handle, _)| handle.queue == found.queue.number), "handles of this queue");
    let now = cx.now().millis();
    let change = move |table: &mut crate::messages::Table| {
        changes.into_iter().map(|(handle, seconds)| table.change(handle, seconds * 1_000, now)).collect()
    };
    messages(cx)?.run(change).await
}

fn told(cx: &Cx, done: Visibility, handle: &str, seconds: i64) -> Result<(), Error> {
    match done {
        Visibility::Changed => Ok(()),
        Visibility::NoMessage => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            Err(value(handle, "ReceiptHandle", reason))
        }
        Visibility::NotInFlight => Err(Error::sender("MessageNotInflight", "The specified message isn't in flight.")),
        Visibility::TooLong => {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].";
            Err(value(seconds, "VisibilityTimeout", reason))
        }
        Visibility::NoQueue => Err(no_queue(cx)),
    }
}

async fn change_message_visibility_batch(
    cx: &Cx,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    check_entries(&request.entries)?;
    let mut answer = ChangeMessageVisibilityBatchResponse::default();
    let (mut good, mut changes) = (vec![], vec![]);
    for entry in &request.entries {
        let read = || {
            let seconds = i64::from(entry.visibility_timeout.ok_or_else(|| missing("VisibilityTimeout"))?);
            check_visibility(seconds)?;
            Ok::<_, Error>((receipt::read(&entry.receipt_handle, found.queue.number)?, seconds))
        };
        match read() {
            Ok(change) => {
                good.push((entry, change.1));
                changes.push(change);
            }
            Err(error) => answer.failed.push(failed(entry.id(), &error)),
        }
    }
    for ((entry, seconds), done) in good.into_iter().zip(make(cx, &found, changes).await?) {
        match told(cx, done, &entry.receipt_handle, seconds) {
            Ok(()) => answer.successful.push(ChangeMessageVisibilityBatchResultEntry { id: Some(entry.id.clone()) }),
            Err(error) => answer.failed.push(failed(entry.id(), &error)),
        }
    }
    Ok(answer)
}
