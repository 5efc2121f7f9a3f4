//! What can be set of a subscription, checked one by one and together. Source: Amazon SNS API Reference, Subscribe and
//! SetSubscriptionAttributes.

use crate::delivery_policy;
use crate::errors::invalid;
use crate::filter::Filter;
use crate::names::TopicName;
use crate::records::Attributes;
use kiln_service_kit::{Arn, Error};
use serde_json::Value as Json;

/// Sets one; an empty text takes it away. `Ok(false)`: there is none of that name.
pub fn set(
    attributes: &mut Attributes,
    topic: &TopicName,
    protocol: &str,
    name: &str,
    value: &str,
) -> Result<bool, Error> {
    let some = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    match name {
        "RawMessageDelivery" => {
            attributes.raw = match value {
                "true" | "false" if matches!(protocol, "sqs" | "http") => value == "true",
                "true" => {
                    let text = format!("Delivery protocol [{protocol}] does not support raw message delivery.");
                    return Err(invalid(format_args!("Attributes Reason: RawMessageDelivery: {text}")));
                }
                "false" => false,
                _ => {
                    let text = format!("Invalid value [{value}]. Must be true or false.");
                    return Err(invalid(format_args!("Attributes Reason: RawMessageDelivery: {text}")));
                }
            };
        }
        "FilterPolicy" => attributes.filter = some(value).filter(|value| value != "{}"),
        "FilterPolicyScope" => {
            attributes.on_body = match value {
                "MessageBody" => true,
                "MessageAttributes" | "" => false,
                _ => {
                    let text = format!("Invalid value [{value}]. Please use either MessageBody or MessageAttributes");
                    return Err(invalid(format_args!("FilterPolicyScope: {text}")));
                }
            };
        }
        "DeliveryPolicy" => {
            if !value.is_empty() && protocol != "http" {
                let text = format!("Delivery protocol [{protocol}] does not support a delivery policy.");
                return Err(invalid(format_args!("DeliveryPolicy: {text}")));
            }
            attributes.delivery = delivery_policy::check_subscription(value)?;
        }
        "RedrivePolicy" => {
            attributes.redrive = some(value);
            if let Some(text) = &attributes.redrive {
                dead_letters(text, topic)?;
            }
        }
        "SubscriptionRoleArn" | "ReplayPolicy" | "ReplayStatus" => {
            return Err(Error::not_built(format!("the attribute {name} of sns subscriptions")));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What can be wrong only of several together.
pub fn check(attributes: &Attributes) -> Result<(), Error> {
    filter(attributes).map(drop)
}

/// The filter, read.
pub fn filter(attributes: &Attributes) -> Result<Option<Filter>, Error> {
    attributes.filter.as_deref().map(|text| Filter::parse(text, attributes.on_body)).transpose()
}

/// The queue for what is given up: of the topic's account and region.
pub fn dead_letters(text: &str, topic: &TopicName) -> Result<String, Error> {
    let wrong = |what: &str| invalid(format_args!("RedrivePolicy: {what}"));
    let json: Json = serde_json::from_str(text).map_err(|_| wrong("failed to parse JSON."))?;
    let members = json.as_object().ok_or_else(|| wrong("failed to parse JSON."))?;
    if members.keys().any(|key| key != "deadLetterTargetArn") {
        return Err(wrong("deadLetterTargetArn is the only member that it can have"));
    }
    let arn = members
        .get("deadLetterTargetArn")
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("deadLetterTargetArn is missing"))?;
    let parsed: Arn = arn.parse().map_err(|_| wrong("deadLetterTargetArn is an invalid arn"))?;
    if parsed.service() != "sqs" || parsed.resource().is_empty() {
        return Err(wrong("deadLetterTargetArn is an invalid arn"));
    }
    if parsed.resource().ends_with(".fifo") {
        return Err(wrong("FIFO SQS queues can not be the dead-letter queues of standard subscriptions"));
    }
    if parsed.account() != &*topic.scope.account || parsed.region() != &*topic.scope.region {
        return Err(wrong("deadLetterTargetArn must be a queue of the topic's account and Region"));
    }
    Ok(arn.to_owned())
}
