//! Subscribing and confirming it. Source: Amazon SNS API Reference, Subscribe and ConfirmSubscription.
//!
//! An endpoint of the caller's own account (a queue) is confirmed at once. Anybody else is asked by the road that the
//! messages will go, and shows the token to ConfirmSubscription or follows the link.

use crate::errors::{invalid, no_topic};
use crate::names::TopicName;
use crate::records::{Attributes, CONFIRMED_WITHIN, Pending, Subscription, Topic};
use crate::targets::{subscribed, topic};
use crate::{subscription_attributes, tell};
use kiln_delivery::{Reach, deliver};
use kiln_service_kit::{Arn, CallerKind, Cx, Error, Operation, Tx, operation};
use kiln_sns_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(ConfirmSubscription: confirm_subscription(ConfirmSubscriptionRequest), on |cx, r| topic(cx, &r.topic_arn)),
    operation!(Subscribe: subscribe(SubscribeRequest),
        on |cx, r| subscribed(cx, &r.topic_arn, &r.protocol, &r.endpoint)),
];

/// Subscriptions of the topics of an account in a region; AWS has 12,500,000 for each topic, which memory here does not.
const MOST: usize = 100_000;
/// Filter policies of a topic, and of an account. Source: Amazon SNS Developer Guide, "Filter policy constraints".
const MOST_FILTERS: usize = 200;
const LONGEST_ENDPOINT: usize = 2_048;
const LONGEST_ADDRESS: usize = 320;
const LONGEST_TOKEN: usize = 256;

/// The endpoint of a protocol, as far as it can be judged by its form.
fn check_endpoint(protocol: &str, endpoint: &str, reach: Reach) -> Result<(), Error> {
    let mismatch = || invalid("Endpoint must match the specified protocol");
    match protocol {
        "sqs" => {
            let arn: Arn = endpoint.parse().map_err(|_| invalid("SQS endpoint ARN"))?;
            let digits = arn.account().len() == 12 && arn.account().bytes().all(|b| b.is_ascii_digit());
            if arn.service() != "sqs" || !digits || arn.region().is_empty() {
                return Err(invalid("SQS endpoint ARN"));
            }
            if arn.resource().ends_with(".fifo") {
                let text = "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics";
                return Err(invalid(format_args!("Invalid parameter: {text}")));
            }
        }
        "http" | "https" => {
            let scheme = endpoint.split("://").next().unwrap_or_default();
            if !endpoint.contains("://") || !scheme.eq_ignore_ascii_case(protocol) {
                return Err(mismatch());
            }
            if protocol == "https" {
                return Err(Error::not_built("https endpoints of sns subscriptions (http is served)"));
            }
        }
        "email" | "email-json" => {
            let (name, host) = endpoint.split_once('@').unwrap_or_default();
            let plain = |text: &str| {
                !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
            };
            if endpoint.len() > LONGEST_ADDRESS || !plain(name) || !plain(host) {
                return Err(invalid("Email address"));
            }
        }
        "sms" | "application" | "lambda" | "firehose" => {
            return Err(Error::not_built(format!("the protocol {protocol} of sns subscriptions")));
        }
        other => {
            let other = kiln_service_kit::one_line(other, 50);
            return Err(invalid(format_args!("Amazon SNS does not support this protocol string: {other}")));
        }
    }
    tell::address(protocol, endpoint, reach).map(drop).map_err(|error| match error.is("InvalidParameter") {
        true => invalid(format_args!("Endpoint Reason: {}", error.message)),
        false => error,
    })
}

async fn subscribe(cx: &Cx, request: SubscribeRequest) -> Result<SubscribeResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    let topic = name.find(cx)?;
    let reach = Reach::of(cx);
    let endpoint = request.endpoint.filter(|endpoint| !endpoint.is_empty()).ok_or_else(|| invalid("Endpoint"))?;
    if endpoint.len() > LONGEST_ENDPOINT {
        return Err(invalid("Endpoint"));
    }
    check_endpoint(&request.protocol, &endpoint, reach)?;
    let mut attributes = Attributes::default();
    for (attribute, value) in &request.attributes {
        if !subscription_attributes::set(&mut attributes, &name, &request.protocol, attribute, value)? {
            return Err(invalid(format_args!("Attributes Reason: Unknown attribute: {attribute}")));
        }
    }
    subscription_attributes::check(&attributes)?;
    // A queue of the caller's own account: nobody has to be asked.
    let own = request.protocol == "sqs" && endpoint.split(':').nth(4) == Some(cx.account());
    let now = cx.now();
    let pending = (!own).then(|| Pending { token: cx.ids().hex(64), since: now });
    let wanted = Subscription {
        topic: name.name.clone(),
        id: cx.ids().uuid(),
        owner: cx.account().to_owned(),
        protocol: request.protocol,
        endpoint,
        reach: Some(reach),
        made: now,
        pending,
        shown: None,
        authenticated: own,
        closed: false,
        attributes,
    };
    let question = match &wanted.pending {
        Some(pending) => Some(tell::confirmation(cx, &name, &topic, &wanted, &pending.token, now).await?),
        None => None,
    };
    let kept = cx
        .store()
        .write::<_, Error>(|tx| {
            name.find_in(cx, tx)?;
            let kept = keep(tx, &name, &wanted, request.attributes.is_empty())?;
            if let Some(question) = question.filter(|_| kept.pending.is_some()) {
                deliver(tx, &name.scope, question)?;
            }
            Ok(kept)
        })
        .await?;
    let told = kept.pending.is_none() || request.return_subscription_arn == Some(true);
    let arn = if told { name.subscription_arn(&kept.id) } else { "pending confirmation".to_owned() };
    Ok(SubscribeResponse { subscription_arn: Some(arn) })
}

/// The subscription that there is then: one of the same endpoint stays, with a new token while it waits.
fn keep(tx: &mut Tx<'_>, name: &TopicName, wanted: &Subscription, any: bool) -> Result<Subscription, Error> {
    for (id, old) in tx.by_key::<Subscription>(&name.scope, "pending", &name.name)? {
        if old.has_lapsed(tx.now()) {
            tx.delete::<Subscription>(&name.scope, &id);
        }
    }
    let place = Subscription::place(&name.name, &wanted.protocol, &wanted.endpoint);
    let there = tx.by_key::<Subscription>(&name.scope, "place", &place)?.into_iter().next();
    let Some((id, there)) = there else {
        if tx.count::<Subscription>(&name.scope) >= MOST {
            let text = "The customer already owns the maximum allowed number of subscriptions.";
            return Err(Error::sender("SubscriptionLimitExceeded", text).with_status(403));
        }
        if wanted.attributes.filter.is_some() {
            check_filters(tx, name)?;
        }
        tx.put(&name.scope, &format!("{}{}", name.subscriptions(), wanted.id), wanted.clone())?;
        return Ok(wanted.clone());
    };
    if !any && there.attributes != wanted.attributes {
        return Err(invalid("Attributes Reason: Subscription already exists with different attributes"));
    }
    let mut kept = (*there).clone();
    if kept.pending.is_some() {
        // Who asks now may name the endpoint, or not.
        (kept.pending, kept.reach) = (wanted.pending.clone(), wanted.reach);
        tx.put(&name.scope, &id, kept.clone())?;
    }
    Ok(kept)
}

/// Whether a topic can have one more filter policy.
pub fn check_filters(tx: &Tx<'_>, name: &TopicName) -> Result<(), Error> {
    let all = tx.list_prefix::<Subscription>(&name.scope, &name.subscriptions())?;
    match all.iter().filter(|(_, it)| it.attributes.filter.is_some()).count() >= MOST_FILTERS {
        true => {
            let text = "The number of filter policies of this topic exceeds its limit.";
            Err(Error::sender("FilterPolicyLimitExceeded", text).with_status(403))
        }
        false => Ok(()),
    }
}

async fn confirm_subscription(
    cx: &Cx,
    request: ConfirmSubscriptionRequest,
) -> Result<ConfirmSubscriptionResponse, Error> {
    let closed = match request.authenticate_on_unsubscribe.as_deref() {
        None | Some("") | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("AuthenticateOnUnsubscribe")),
    };
    TopicName::parse(cx, &request.topic_arn)?.find(cx)?;
    let authenticated = !matches!(cx.caller().kind, CallerKind::Service { .. });
    let arn = confirm(cx, &request.topic_arn, &request.token, authenticated, closed).await?;
    Ok(ConfirmSubscriptionResponse { subscription_arn: Some(arn) })
}

/// Confirms what a token was told for; the ARN. Who shows one again is told the same.
pub async fn confirm(cx: &Cx, topic: &str, token: &str, authenticated: bool, closed: bool) -> Result<String, Error> {
    let name = TopicName::parse(cx, topic)?;
    let wrong = || invalid("Token");
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(wrong());
    }
    cx.store()
        .write::<_, Error>(|tx| {
            if tx.get::<Topic>(&name.scope, &name.name)?.is_none() {
                return Err(no_topic());
            }
            let found = tx.by_key::<Subscription>(&name.scope, "token", token)?.into_iter().next();
            let (id, there) = found.filter(|(_, it)| it.topic == name.name).ok_or_else(wrong)?;
            let arn = name.subscription_arn(&there.id);
            let Some(pending) = &there.pending else { return Ok(arn) };
            if tx.now().since(pending.since) >= CONFIRMED_WITHIN {
                return Err(wrong());
            }
            let shown = Some(pending.token.clone());
            let confirmed = Subscription { pending: None, shown, authenticated, closed, ..(*there).clone() };
            tx.put(&name.scope, &id, confirmed)?;
            Ok(arn)
        })
        .await
}
