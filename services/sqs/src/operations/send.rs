//! Messages are sent, one or up to ten at once. Source: SQS API Reference, SendMessage, SendMessageBatch.

use super::batch::{Entry, check_entries, failed};
use super::messages;
use crate::errors::no_queue;
use crate::message::{Digests, Draft};
use crate::messages::{NewMessage, Sending, Sent, Seq};
use crate::meter;
use crate::place::{Found, find};
use crate::settings::MAXIMUM_SIZE;
use crate::targets::queue;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sqs_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(SendMessage: send_message(SendMessageRequest), on |cx, r| queue(cx, &r.queue_url)),
    operation!(SendMessageBatch: send_message_batch(SendMessageBatchRequest),
        on |cx, r| Ok(queue(cx, &r.queue_url)?.by("sqs:SendMessage"))),
];

async fn send_message(cx: &Cx, request: SendMessageRequest) -> Result<SendMessageResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    let draft = Draft {
        body: &request.message_body,
        delay: request.delay_seconds,
        attributes: &request.message_attributes,
        system: &request.message_system_attributes,
        deduplication: request.message_deduplication_id.as_deref(),
        group: request.message_group_id.as_deref(),
    };
    let (message, Digests { body, attributes, system }) = draft.check(cx, &found.queue.settings)?;
    let sent = send(cx, &found, vec![message]).await?;
    let sent = sent.into_iter().next().ok_or_else(|| Error::internal("a message was taken without an answer"))?;
    Ok(SendMessageResponse {
        md5_of_message_body: Some(body),
        md5_of_message_attributes: attributes,
        md5_of_message_system_attributes: system,
        sequence_number: found.queue.settings.fifo.map(|_| sequence(sent.seq)),
        message_id: Some(sent.id),
    })
}

async fn send(cx: &Cx, found: &Found, taken: Vec<NewMessage>) -> Result<Vec<Sent>, Error> {
    let number = found.queue.number;
    let sizes: Vec<usize> = taken.iter().map(|message| message.kept.size()).collect();
    let sending = Sending { queue: number, now: cx.now().millis(), messages: taken };
    let messages = messages(cx)?;
    let sent = messages.run(move |table| table.send(sending)).await?.ok_or_else(|| no_queue(cx))?;
    messages.done().count(&number, meter::SENT, sizes.len() as f64, 1);
    sizes.into_iter().for_each(|size| messages.done().count(&number, meter::SIZE, size as f64, 1));
    Ok(sent)
}

/// A sequence number as callers see it: twenty digits, so that their order as text is their order.
pub fn sequence(seq: Seq) -> String {
    const START: u64 = 10_000_000_000_000_000_000;
    (START + seq.unsigned_abs()).to_string()
}

async fn send_message_batch(cx: &Cx, request: SendMessageBatchRequest) -> Result<SendMessageBatchResponse, Error> {
    let found = find(cx, &request.queue_url)?;
    check_entries(&request.entries)?;
    let all: usize = request.entries.iter().map(|entry| Draft::from(entry).size()).sum();
    if all > MAXIMUM_SIZE as usize {
        let text = format!("Batch requests cannot be longer than {MAXIMUM_SIZE} bytes. You have sent {all} bytes.");
        return Err(Error::sender("BatchRequestTooLong", text));
    }
    let (mut good, mut taken, mut answer) = (vec![], vec![], SendMessageBatchResponse::default());
    for entry in &request.entries {
        match Draft::from(entry).check(cx, &found.queue.settings) {
            Ok((message, digests)) => {
                good.push((entry.id(), digests));
                taken.push(message);
            }
            // What is not built of one message is told of the call: a client does not look for it in its list.
            Err(error) if error.is("NotImplemented") => return Err(error),
            Err(error) => answer.failed.push(failed(entry.id(), &error)),
        }
    }
    let sent = send(cx, &found, taken).await?;
    let fifo = found.queue.settings.fifo;
    for ((id, digests), sent) in good.into_iter().zip(sent) {
        answer.successful.push(SendMessageBatchResultEntry {
            id: Some(id.to_owned()),
            md5_of_message_body: Some(digests.body),
            md5_of_message_attributes: digests.attributes,
            md5_of_message_system_attributes: digests.system,
            sequence_number: fifo.map(|_| sequence(sent.seq)),
            message_id: Some(sent.id),
        });
    }
    Ok(answer)
}
