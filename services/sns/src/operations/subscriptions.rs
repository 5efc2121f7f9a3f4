//! Subscriptions that are there: listed, looked at, changed, ended. Source: Amazon SNS API Reference.

use super::subscribe::check_filters;
use super::topics::PAGE;
use crate::errors::{closed, invalid};
use crate::names::{SubscriptionName, TopicName};
use crate::records::{Subscription as Kept, Topic};
use crate::targets::topic;
use crate::{delivery_policy, subscription_attributes};
use kiln_service_kit::{Cx, Error, Map, Operation, operation, paginate};
use kiln_sns_shapes::*;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetSubscriptionAttributes: get_subscription_attributes(GetSubscriptionAttributesRequest), on everything),
    operation!(ListSubscriptions: list_subscriptions(ListSubscriptionsRequest), on everything),
    operation!(ListSubscriptionsByTopic: list_subscriptions_by_topic(ListSubscriptionsByTopicRequest),
        on |cx, r| topic(cx, &r.topic_arn)),
    operation!(SetSubscriptionAttributes: set_subscription_attributes(SetSubscriptionAttributesRequest), on everything),
    operation!(Unsubscribe: unsubscribe(UnsubscribeRequest), on everything),
];

fn shown(name: &TopicName, kept: &Kept) -> Subscription {
    let arn = match kept.pending {
        None => name.subscription_arn(&kept.id),
        Some(_) => "PendingConfirmation".to_owned(),
    };
    Subscription {
        subscription_arn: Some(arn),
        owner: Some(kept.owner.clone()),
        protocol: Some(kept.protocol.clone()),
        endpoint: Some(kept.endpoint.clone()),
        topic_arn: Some(name.arn.clone()),
    }
}

/// A page of these, in the order of their ids.
fn page(
    cx: &Cx,
    all: Vec<(String, TopicName, Arc<Kept>)>,
    token: Option<&str>,
) -> Result<(Vec<Subscription>, Option<String>), Error> {
    let now = cx.now();
    let all: Vec<_> = all.into_iter().filter(|(_, _, kept)| !kept.has_lapsed(now)).collect();
    let page = paginate(all, |(id, ..)| id, token, PAGE, || invalid("NextToken"))?;
    Ok((page.items.iter().map(|(_, name, kept)| shown(name, kept)).collect(), page.next_token))
}

/// The caller's account's, whosever topics they are of.
async fn list_subscriptions(cx: &Cx, request: ListSubscriptionsRequest) -> Result<ListSubscriptionsResponse, Error> {
    let all = cx.store().by_key_everywhere::<Kept>("owner", cx.account())?;
    let here = all.into_iter().filter(|(scope, ..)| *scope.region == *cx.region());
    let mut all: Vec<_> = here
        .map(|(scope, id, kept)| {
            let arn = format!("arn:{}:sns:{}:{}:{}", cx.partition(), scope.region, scope.account, kept.topic);
            let key = format!("{}/{id}", scope.account);
            (key, TopicName { scope, name: kept.topic.clone(), arn }, kept)
        })
        .collect();
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let (subscriptions, next_token) = page(cx, all, request.next_token.as_deref())?;
    Ok(ListSubscriptionsResponse { subscriptions, next_token })
}

async fn list_subscriptions_by_topic(
    cx: &Cx,
    request: ListSubscriptionsByTopicRequest,
) -> Result<ListSubscriptionsByTopicResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    name.find(cx)?;
    let all = cx.store().list_prefix::<Kept>(&name.scope, &name.subscriptions())?;
    let all = all.into_iter().map(|(id, kept)| (id.to_string(), name.clone(), kept)).collect();
    let (subscriptions, next_token) = page(cx, all, request.next_token.as_deref())?;
    Ok(ListSubscriptionsByTopicResponse { subscriptions, next_token })
}

async fn get_subscription_attributes(
    cx: &Cx,
    request: GetSubscriptionAttributesRequest,
) -> Result<GetSubscriptionAttributesResponse, Error> {
    let name = SubscriptionName::parse(cx, &request.subscription_arn)?;
    let kept = name.find(cx)?;
    let mut attributes: Map<String> = [
        ("SubscriptionArn", request.subscription_arn.clone()),
        ("TopicArn", name.topic.arn.clone()),
        ("Owner", kept.owner.clone()),
        ("Protocol", kept.protocol.clone()),
        ("Endpoint", kept.endpoint.clone()),
        ("PendingConfirmation", kept.pending.is_some().to_string()),
        ("ConfirmationWasAuthenticated", kept.authenticated.to_string()),
        ("RawMessageDelivery", kept.attributes.raw.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(filter) = &kept.attributes.filter {
        let scope = if kept.attributes.on_body { "MessageBody" } else { "MessageAttributes" };
        attributes
            .extend([("FilterPolicy".to_owned(), filter.clone()), ("FilterPolicyScope".to_owned(), scope.to_owned())]);
    } else if kept.attributes.on_body {
        attributes.insert("FilterPolicyScope".to_owned(), "MessageBody".to_owned());
    }
    let said = [("RedrivePolicy", &kept.attributes.redrive), ("DeliveryPolicy", &kept.attributes.delivery)];
    attributes.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    if kept.protocol == "http" {
        let topic = cx.store().get::<Topic>(&name.topic.scope, &name.topic.name)?;
        let of_topic = topic.as_ref().and_then(|topic| topic.delivery_policy.as_deref());
        let effective = delivery_policy::effective(of_topic, kept.attributes.delivery.as_deref())?;
        attributes.insert("EffectiveDeliveryPolicy".to_owned(), effective.of_subscription());
    }
    Ok(GetSubscriptionAttributesResponse { attributes })
}

async fn set_subscription_attributes(
    cx: &Cx,
    request: SetSubscriptionAttributesRequest,
) -> Result<SetSubscriptionAttributesResponse, Error> {
    let name = SubscriptionName::parse(cx, &request.subscription_arn)?;
    let value = request.attribute_value.unwrap_or_default();
    cx.store()
        .write::<_, Error>(|tx| {
            let there = name.find_in(cx, tx)?;
            let mut kept = (*there).clone();
            let set = subscription_attributes::set(
                &mut kept.attributes,
                &name.topic,
                &there.protocol,
                &request.attribute_name,
                &value,
            );
            if !set? {
                return Err(invalid("AttributeName"));
            }
            subscription_attributes::check(&kept.attributes)?;
            if kept.attributes.filter.is_some() && there.attributes.filter.is_none() {
                check_filters(tx, &name.topic)?;
            }
            tx.put_if_changed(&name.topic.scope, &name.id, kept)?;
            Ok(())
        })
        .await?;
    Ok(SetSubscriptionAttributesResponse::default())
}

async fn unsubscribe(cx: &Cx, request: UnsubscribeRequest) -> Result<UnsubscribeResponse, Error> {
    if request.subscription_arn == "PendingConfirmation" || request.subscription_arn == "pending confirmation" {
        let reason = "An ARN must have at least 6 elements, not 1";
        return Err(invalid(format_args!("SubscriptionArn Reason: {reason}")));
    }
    end(cx, &request.subscription_arn, true).await?;
    Ok(UnsubscribeResponse::default())
}

/// Ends a subscription; one that is gone is ended as well. `authenticated`: by a call, not by a link.
pub async fn end(cx: &Cx, arn: &str, authenticated: bool) -> Result<(), Error> {
    let name = SubscriptionName::parse(cx, arn)?;
    cx.store()
        .write::<_, Error>(|tx| {
            let there = match name.find_in(cx, tx) {
                Err(error) if error.is("NotFound") => return Ok(()),
                found => found?,
            };
            if there.closed && !authenticated {
                return Err(closed());
            }
            if !authenticated && there.pending.is_some() {
                return Err(invalid("This subscription is not confirmed"));
            }
            tx.delete::<Kept>(&name.topic.scope, &name.id);
            if let Some(topic) = tx.get::<Topic>(&name.topic.scope, &name.topic.name)? {
                let topic = Topic { deleted: topic.deleted + 1, ..(*topic).clone() };
                tx.put(&name.topic.scope, &name.topic.name, topic)?;
            }
            Ok(())
        })
        .await
}
