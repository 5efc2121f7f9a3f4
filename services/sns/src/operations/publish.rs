//! Publishing. What is published and who is to be told of it are one transaction: an answer means that every subscription
//! that wants it will be told. Source: Amazon SNS API Reference, Publish and PublishBatch.

use crate::errors::invalid;
use crate::message::{LONGEST, Message};
use crate::meter;
use crate::names::TopicName;
use crate::targets::topic;
use crate::tell::{Publication, notes};
use kiln_delivery::deliver;
use kiln_service_kit::{Cx, Error, Fault, Map, Operation, Target, operation};
use kiln_sns_shapes::*;
use std::collections::BTreeSet;

pub const OPERATIONS: &[Operation] = &[
    operation!(Publish: publish(PublishRequest), on published),
    operation!(PublishBatch: publish_batch(PublishBatchRequest),
        on |cx, r| Ok(topic(cx, &r.topic_arn)?.by("sns:Publish"))),
];

const MOST_ENTRIES: usize = 10;
const LONGEST_ID: usize = 80;

fn published(cx: &Cx, request: &PublishRequest) -> Result<Target, Error> {
    match request.topic_arn.as_ref().or(request.target_arn.as_ref()) {
        Some(arn) => topic(cx, arn),
        None => Ok(Target::everything()),
    }
}

async fn publish(cx: &Cx, request: PublishRequest) -> Result<PublishResponse, Error> {
    if request.phone_number.is_some() {
        return Err(Error::not_built("sns:Publish to phone numbers (SMS)"));
    }
    let arn = match (request.topic_arn, request.target_arn) {
        (Some(arn), None) => arn,
        (None, Some(arn)) if arn.contains(":endpoint/") => {
            return Err(Error::not_built("sns:Publish to platform endpoints"));
        }
        (None, Some(arn)) => arn,
        (None, None) => return Err(invalid("TopicArn or TargetArn Reason: no value for required parameter")),
        (Some(_), Some(_)) => return Err(invalid("TopicArn or TargetArn Reason: only one of them can be given")),
    };
    of_standard(request.message_group_id.as_deref(), request.message_deduplication_id.as_deref())?;
    let structure = request.message_structure.as_deref().filter(|structure| !structure.is_empty());
    let message = Message::new(request.message, request.subject, structure, request.message_attributes)?;
    let id = cx.ids().uuid();
    tell(cx, &TopicName::parse(cx, &arn)?, vec![Publication { message, id: id.clone() }]).await?;
    Ok(PublishResponse { message_id: Some(id), sequence_number: None })
}

/// What only messages to FIFO topics have.
fn of_standard(group: Option<&str>, deduplication: Option<&str>) -> Result<(), Error> {
    if group.is_some() {
        return Err(Error::not_built("MessageGroupId of messages to standard topics"));
    }
    if deduplication.is_some() {
        let text = "The request includes MessageDeduplicationId parameter that is not valid for this topic type";
        return Err(invalid(format_args!("MessageDeduplicationId Reason: {text}")));
    }
    Ok(())
}

async fn tell(cx: &Cx, name: &TopicName, publications: Vec<Publication>) -> Result<(), Error> {
    let topic = name.find(cx)?;
    let (notes, filtered) = notes(cx, name, &topic, &publications).await?;
    if !notes.is_empty() {
        cx.store()
            .write::<_, Error>(|tx| notes.into_iter().try_for_each(|note| deliver(tx, &name.scope, note)))
            .await?;
    }
    meter::published(cx, name, &publications, filtered);
    Ok(())
}

async fn publish_batch(cx: &Cx, request: PublishBatchRequest) -> Result<PublishBatchResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    name.find(cx)?;
    let entries = request.publish_batch_request_entries;
    if entries.is_empty() {
        return Err(Error::sender("EmptyBatchRequest", "The batch request doesn't contain any entries."));
    }
    if entries.len() > MOST_ENTRIES {
        let text = "The batch request contains more entries than permissible.";
        return Err(Error::sender("TooManyEntriesInBatchRequest", text));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if entries.iter().any(|entry| entry.id.is_empty() || entry.id.len() > LONGEST_ID || !entry.id.chars().all(good)) {
        let text = "The Id of a batch entry in a batch request doesn't abide by the specification.";
        return Err(Error::sender("InvalidBatchEntryId", text));
    }
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    if ids.len() != entries.len() {
        let text = "Two or more batch entries in the request have the same Id.";
        return Err(Error::sender("BatchEntryIdsNotDistinct", text));
    }
    let mut failed = vec![];
    let mut good = vec![];
    let mut size = entries.iter().map(|entry| entry.message.len()).sum::<usize>();
    for entry in entries {
        match of_entry(entry.clone()) {
            Ok(message) => {
                size += message.size - entry.message.len();
                good.push((entry.id, Publication { message, id: cx.ids().uuid() }));
            }
            Err(error) if error.is("NotImplemented") => return Err(error),
            Err(error) => failed.push(BatchResultErrorEntry {
                id: Some(entry.id),
                code: Some(error.code.to_string()),
                message: Some(error.message),
                sender_fault: Some(error.fault == Fault::Sender),
            }),
        }
    }
    if size > LONGEST {
        let text = "The length of all the batch messages put together is more than the limit.";
        return Err(Error::sender("BatchRequestTooLong", text));
    }
    let successful = good.iter().map(|(id, publication)| PublishBatchResultEntry {
        id: Some(id.clone()),
        message_id: Some(publication.id.clone()),
        sequence_number: None,
    });
    let successful = successful.collect();
    tell(cx, &name, good.into_iter().map(|(_, publication)| publication).collect()).await?;
    Ok(PublishBatchResponse { successful, failed })
}

fn of_entry(entry: PublishBatchRequestEntry) -> Result<Message, Error> {
    of_standard(entry.message_group_id.as_deref(), entry.message_deduplication_id.as_deref())?;
    let structure = entry.message_structure.as_deref().filter(|structure| !structure.is_empty());
    let attributes: Map<MessageAttributeValue> = entry.message_attributes;
    Message::new(entry.message, entry.subject, structure, attributes)
}
