//! Messages are deleted by the receipt handle of their last receive. Source: SQS API Reference, DeleteMessage,
//! DeleteMessageBatch.

use super::batch::{Entry, check_entries, failed};
use super::messages;
use crate::errors::{no_queue, value};
use crate::messages::{Deleted, Handle, Table};
use crate::meter;
use crate::place::{Found, find};
use crate::receipt;
use crate::targets::queue;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteMessage: delete_message(DeleteMessageRequest), on |cx, r| queue(cx, &r.queue_url)),
    operation!(DeleteMessageBatch: delete_message_batch(DeleteMessageBatchRequest),
        on |cx, r| Ok(queue(cx, &r.queue_url)?.by("sqs:DeleteMessage"))),
];

async fn delete_message(cx: &Cx, request: DeleteMessageRequest) -> Result<DeleteMessageResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let handle = receipt::read(&request.receipt_handle, found.queue.number)?;
    let done = delete(cx, &found, vec![handle]).await?;
    done.into_iter().try_for_each(|done| told(cx, done, &request.receipt_handle))?;
    Ok(DeleteMessageResponse {})
}

/// Deletes some at once: each becomes what it becomes by itself.
async fn delete(cx: &Cx, found: &Found, handles: Vec<Handle>) -> Result<Vec<Deleted>, Error> {
    let (number, fifo, now) = (found.queue.number, found.queue.settings.fifo.is_some(), cx.now().millis());
    let messages = messages(cx)?;
    let work = move |table: &mut Table| handles.into_iter().map(|handle| table.delete(handle, fifo, now)).collect();
    let done: Vec<Deleted> = messages.run(work).await?;
    let deleted = done.iter().filter(|done| matches!(done, Deleted::Done)).count();
    if deleted > 0 {
        messages.done().count(&number, meter::DELETED, deleted as f64, 1);
    }
    Ok(done)
}

fn told(cx: &Cx, done: Deleted, handle: &str) -> Result<(), Error> {
    match done {
        Deleted::Done => Ok(()),
        Deleted::Expired => Err(value(handle, "ReceiptHandle", "The receipt handle has expired.")),
        Deleted::NoQueue => Err(no_queue(cx)),
    }
}

async fn delete_message_batch(
    cx: &Cx,
    request: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    check_entries(&request.entries)?;
    let mut answer = DeleteMessageBatchResponse::default();
    let (mut good, mut handles) = (vec![], vec![]);
    for entry in &request.entries {
        match receipt::read(&entry.receipt_handle, found.queue.number) {
            Ok(handle) => {
                good.push(entry);
                handles.push(handle);
            }
            Err(error) => answer.failed.push(failed(entry.id(), &error)),
        }
    }
    for (entry, done) in good.into_iter().zip(delete(cx, &found, handles).await?) {
        match told(cx, done, &entry.receipt_handle) {
            Ok(()) => answer.successful.push(DeleteMessageBatchResultEntry { id: Some(entry.id.clone()) }),
            Err(error) => answer.failed.push(failed(entry.id(), &error)),
        }
    }
    Ok(answer)
}
