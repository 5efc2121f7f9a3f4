//! `AWS::SNS::Subscription`. Ref gives the ARN, also while nobody has confirmed it, as AWS's does.
//!
//! A topic has an endpoint once: what an earlier try made is found by subscribing again.

use super::{document, parsed};
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability};
use kiln_sns_shapes::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Subscription;

/// Properties that are attributes, with what they are where a template says nothing.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("DeliveryPolicy", ""),
    ("FilterPolicyScope", "MessageAttributes"),
    ("FilterPolicy", ""),
    ("RawMessageDelivery", "false"),
    ("RedrivePolicy", ""),
];

#[async_trait]
impl ResourceType for Subscription {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::Subscription"
    }

    fn serves(&self, property: &str) -> bool {
        !matches!(property, "Region" | "ReplayPolicy" | "SubscriptionRoleArn")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let attributes: Map<String> = ATTRIBUTES
            .into_iter()
            .filter_map(|(name, _)| Some((name.to_owned(), document(request.properties.get(name))?)))
            .collect();
        let made = cx.call(SubscribeRequest {
            topic_arn: request.text("TopicArn").unwrap_or_default(),
            protocol: request.text("Protocol").unwrap_or_default(),
            endpoint: request.text("Endpoint"),
            attributes,
            return_subscription_arn: Some(true),
        });
        made.await?.subscription_arn.ok_or_else(|| Error::internal("Subscribe answered without an ARN"))
    }

    async fn update(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        // Of a filter and its scope the one that goes first must fit what the other was.
        let narrows = document(request.properties.get("FilterPolicyScope")).as_deref() != Some("MessageBody");
        let mut changed: Vec<_> = ATTRIBUTES.into_iter().filter(|(name, _)| request.changed(name)).collect();
        if narrows {
            changed.sort_by_key(|(name, _)| *name == "FilterPolicyScope");
        }
        for (name, default) in changed {
            let value = document(request.properties.get(name)).unwrap_or_else(|| default.to_owned());
            cx.call(SetSubscriptionAttributesRequest {
                subscription_arn: arn.to_owned(),
                attribute_name: name.to_owned(),
                attribute_value: Some(value),
            })
            .await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, arn: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.call(UnsubscribeRequest { subscription_arn: arn.to_owned() }).await?;
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = GetSubscriptionAttributesRequest { subscription_arn: arn.to_owned() };
        let attributes = match cx.call(asked).await {
            Err(error) if error.is("NotFound") => return Ok(None),
            answer => answer?.attributes,
        };
        let document = |name: &str| attributes.get(name).map(|text| parsed(text)).transpose();
        let raw = attributes.get("RawMessageDelivery").map(|raw| json!(raw == "true"));
        let read = Properties::default()
            .with("Arn", arn)
            .with("TopicArn", attributes.get("TopicArn"))
            .with("Protocol", attributes.get("Protocol"))
            .with("Endpoint", attributes.get("Endpoint"))
            .with("FilterPolicy", document("FilterPolicy")?)
            .with("FilterPolicyScope", attributes.get("FilterPolicyScope"))
            .with("RawMessageDelivery", raw)
            .with("RedrivePolicy", document("RedrivePolicy")?)
            .with("DeliveryPolicy", document("DeliveryPolicy")?);
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, arn: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Arn".to_owned(), json!(arn))]))
    }
}
