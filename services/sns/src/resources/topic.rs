//! `AWS::SNS::Topic`. Ref gives the ARN.
//!
//! CreateTopic takes a name that is there; a topic of that name without this stack's tags is somebody else's, and creation
//! fails, as AWS's handler has it.

use super::document;
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability};
use kiln_sns_shapes as shapes;
use kiln_sns_shapes::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Topic;

const TYPE: &str = "AWS::SNS::Topic";

#[async_trait]
impl ResourceType for Topic {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn serves(&self, property: &str) -> bool {
        matches!(property, "DisplayName" | "SignatureVersion" | "Subscription" | "Tags" | "TopicArn" | "TopicName")
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("FifoTopic", "false"), ("ContentBasedDeduplication", "false"), ("KmsMasterKeyId", "\"\"")]
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("TopicName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("TopicName").unwrap_or_else(|| request.physical_name.clone());
        let arn = cx.arn("sns", &name);
        match tags_of(cx, &arn).await? {
            Some(tags) if is_ours(&tags, request) => Ok(arn),
            Some(_) => {
                let text = format!("Resource of type '{TYPE}' with identifier '{name}' already exists.");
                Err(Error::sender("AlreadyExists", text))
            }
            None => {
                let attributes: Map<String> = ["DisplayName", "SignatureVersion"]
                    .into_iter()
                    .filter_map(|name| Some((name.to_owned(), request.text(name)?)))
                    .collect();
                let tags = request.all_tags().into_iter().map(|(key, value)| Tag { key, value }).collect();
                let made = cx.call(CreateTopicRequest { name, attributes, tags, ..Default::default() }).await?;
                made.topic_arn.ok_or_else(|| Error::internal("CreateTopic answered without an ARN"))
            }
        }
    }

    async fn complete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        subscribe(cx, arn, request).await
    }

    async fn update(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        for (name, default) in [("DisplayName", ""), ("SignatureVersion", "1")] {
            if request.changed(name) {
                let value = request.text(name).unwrap_or_else(|| default.to_owned());
                let (topic_arn, attribute_name) = (arn.to_owned(), name.to_owned());
                cx.call(SetTopicAttributesRequest { topic_arn, attribute_name, attribute_value: Some(value) }).await?;
            }
        }
        subscribe(cx, arn, request).await?;
        let gone = request.removed_tags();
        if !gone.is_empty() {
            cx.call(UntagResourceRequest { resource_arn: arn.to_owned(), tag_keys: gone }).await?;
        }
        let tags: Vec<Tag> = request.all_tags().into_iter().map(|(key, value)| Tag { key, value }).collect();
        if !tags.is_empty() {
            cx.call(TagResourceRequest { resource_arn: arn.to_owned(), tags }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, arn: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.call(DeleteTopicRequest { topic_arn: arn.to_owned() }).await?;
        Ok(Stability::Ready)
    }

    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        Ok(attributes_of(cx, &cx.arn("sns", name)).await?.is_some())
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(attributes) = attributes_of(cx, arn).await? else { return Ok(None) };
        let Some(tags) = tags_of(cx, arn).await? else { return Ok(None) };
        let subscriptions = subscriptions_of(cx, arn).await?;
        let subscriptions = subscriptions.into_iter().map(
            |it| json!({"Endpoint": it.endpoint.unwrap_or_default(), "Protocol": it.protocol.unwrap_or_default()}),
        );
        let some = |name: &str| attributes.get(name).filter(|value| !value.is_empty());
        let read = Properties::default()
            .with("TopicArn", arn)
            .with("TopicName", arn.rsplit(':').next())
            .with("DisplayName", some("DisplayName"))
            .with("SignatureVersion", some("SignatureVersion"))
            .with_list("Subscription", subscriptions)
            .with_tags(tags.into_iter().map(|(key, value)| (Some(key), Some(value))));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, arn: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let read = self.read(cx, arn, &Json::Null).await?.ok_or_else(crate::errors::no_topic)?.into_json();
        let Json::Object(read) = read else { return Err(Error::internal("properties are no object")) };
        Ok(read.into_iter().collect())
    }
}

/// Subscribes who is named now, and ends the subscriptions of who was and is no more.
async fn subscribe(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = named(&request.properties);
    let before = named(&request.previous);
    let gone: Vec<_> = before.into_iter().filter(|one| !wanted.contains(one)).collect();
    if !gone.is_empty() {
        for there in subscriptions_of(cx, arn).await? {
            let one = (there.protocol.unwrap_or_default(), there.endpoint.unwrap_or_default());
            if let Some(arn) = there.subscription_arn.filter(|arn| arn.starts_with("arn:") && gone.contains(&one)) {
                cx.call(UnsubscribeRequest { subscription_arn: arn }).await?;
            }
        }
    }
    for (protocol, endpoint) in wanted {
        let topic_arn = arn.to_owned();
        cx.call(SubscribeRequest { topic_arn, protocol, endpoint: Some(endpoint), ..Default::default() }).await?;
    }
    Ok(())
}

/// Protocols and endpoints.
fn named(properties: &Json) -> Vec<(String, String)> {
    let text = |one: &Json, name: &str| document(one.get(name)).unwrap_or_default();
    let all = properties.get("Subscription").and_then(Json::as_array).into_iter().flatten();
    all.map(|one| (text(one, "Protocol"), text(one, "Endpoint"))).collect()
}

async fn subscriptions_of(cx: &Cx, arn: &str) -> Result<Vec<shapes::Subscription>, Error> {
    let mut all = vec![];
    let mut next_token = None;
    loop {
        let page = cx.call(ListSubscriptionsByTopicRequest { topic_arn: arn.to_owned(), next_token }).await?;
        all.extend(page.subscriptions);
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(all);
        }
    }
}

async fn attributes_of(cx: &Cx, arn: &str) -> Result<Option<Map<String>>, Error> {
    match cx.call(GetTopicAttributesRequest { topic_arn: arn.to_owned() }).await {
        Err(error) if error.is("NotFound") => Ok(None),
        answer => Ok(Some(answer?.attributes)),
    }
}

async fn tags_of(cx: &Cx, arn: &str) -> Result<Option<Vec<(String, String)>>, Error> {
    match cx.call(ListTagsForResourceRequest { resource_arn: arn.to_owned() }).await {
        Err(error) if error.is("ResourceNotFound") => Ok(None),
        answer => Ok(Some(answer?.tags.into_iter().map(|tag| (tag.key, tag.value)).collect())),
    }
}

fn is_ours(tags: &[(String, String)], request: &ResourceRequest) -> bool {
    let has = |key: &str, value: &str| tags.iter().any(|(k, v)| k == key && v == value);
    has("aws:cloudformation:stack-id", &request.stack_id) && has("aws:cloudformation:logical-id", &request.logical_id)
}
