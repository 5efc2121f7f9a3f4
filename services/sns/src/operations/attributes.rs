//! Attributes of topics. Source: Amazon SNS API Reference, GetTopicAttributes and SetTopicAttributes.

use crate::errors::invalid;
use crate::names::TopicName;
use crate::records::{Subscription, Topic};
use crate::targets::topic;
use crate::{delivery_policy, policy};
use kiln_service_kit::{Cx, Error, Map, Operation, operation};
use kiln_sns_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetTopicAttributes: get_topic_attributes(GetTopicAttributesRequest), on |cx, r| topic(cx, &r.topic_arn)),
    operation!(SetTopicAttributes: set_topic_attributes(SetTopicAttributesRequest), on |cx, r| topic(cx, &r.topic_arn)),
];

const LONGEST_DISPLAY_NAME: usize = 100;
/// What AWS knows and kiln does not carry out; an empty text says so of those that can be empty.
const NOT_BUILT: [&str; 8] = [
    "ArchivePolicy",
    "BeginningArchiveTime",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "TracingConfig",
];
const FEEDBACK: [&str; 3] = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

/// Sets one. `Ok(false)`: there is none of that name.
pub fn set(cx: &Cx, topic: &mut Topic, name: &str, value: &str) -> Result<bool, Error> {
    match name {
        "DisplayName" => {
            if value.chars().count() > LONGEST_DISPLAY_NAME || value.chars().any(char::is_control) {
                return Err(invalid("DisplayName"));
            }
            topic.display_name = value.to_owned();
        }
        "Policy" => topic.policy = policy::check(cx, value)?,
        "DeliveryPolicy" => topic.delivery_policy = delivery_policy::check_topic(value)?,
        "SignatureVersion" => match value {
            "1" | "2" => topic.signature_version = Some(value.to_owned()),
            _ => return Err(invalid("SignatureVersion")),
        },
        // They say what holds: nothing is set, nothing is sampled.
        _ if value.is_empty() && (NOT_BUILT.contains(&name) || FEEDBACK.iter().any(|end| name.ends_with(end))) => {}
        _ if value == "0" && name.ends_with("SuccessFeedbackSampleRate") => {}
        _ if NOT_BUILT.contains(&name) || FEEDBACK.iter().any(|end| name.ends_with(end)) => {
            return Err(Error::not_built(format!("the attribute {name} of sns topics")));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

async fn get_topic_attributes(
    cx: &Cx,
    request: GetTopicAttributesRequest,
) -> Result<GetTopicAttributesResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    let topic = name.find(cx)?;
    let all = cx.store().list_prefix::<Subscription>(&name.scope, &name.subscriptions())?;
    let now = cx.now();
    let pending = all.iter().filter(|(_, it)| it.pending.is_some() && !it.has_lapsed(now)).count();
    let confirmed = all.iter().filter(|(_, it)| it.pending.is_none()).count();
    let effective = delivery_policy::effective(topic.delivery_policy.as_deref(), None)?;
    let mut attributes: Map<String> = [
        ("TopicArn", name.arn.clone()),
        ("Owner", name.scope.account.to_string()),
        ("DisplayName", topic.display_name.clone()),
        ("Policy", policy::of(&topic, &name)),
        ("EffectiveDeliveryPolicy", effective.of_topic(topic.delivery_policy.as_deref())),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        ("SubscriptionsDeleted", topic.deleted.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let said = [("DeliveryPolicy", &topic.delivery_policy), ("SignatureVersion", &topic.signature_version)];
    attributes.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    Ok(GetTopicAttributesResponse { attributes })
}

async fn set_topic_attributes(
    cx: &Cx,
    request: SetTopicAttributesRequest,
) -> Result<SetTopicAttributesResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    name.find(cx)?;
    let value = request.attribute_value.unwrap_or_default();
    cx.store()
        .write::<_, Error>(|tx| {
            let mut topic = (*name.find_in(cx, tx)?).clone();
            if !set(cx, &mut topic, &request.attribute_name, &value)? {
                return Err(invalid("AttributeName"));
            }
            tx.put_if_changed(&name.scope, &name.name, topic)?;
            Ok(())
        })
        .await?;
    Ok(SetTopicAttributesResponse::default())
}
