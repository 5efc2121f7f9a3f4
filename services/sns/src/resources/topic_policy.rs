//! `AWS::SNS::TopicPolicy`: one policy put on several topics. Ref gives a generated id. What is taken away leaves AWS's
//! default policy.

use super::{document, parsed};
use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use kiln_sns_shapes::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct TopicPolicy;

#[async_trait]
impl ResourceType for TopicPolicy {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::TopicPolicy"
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        Ok(request.physical_name.clone())
    }

    async fn complete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request).await
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        put(cx, request).await
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        for topic in request.texts("Topics") {
            set(cx, &topic, "").await?;
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let topics: Vec<String> = texts(known);
        let mut there = vec![];
        let mut found = None;
        for topic in topics {
            let attributes = match cx.call(GetTopicAttributesRequest { topic_arn: topic.clone() }).await {
                Err(error) if error.is("NotFound") => continue,
                answer => answer?.attributes,
            };
            let policy = attributes.get("Policy").map(|text| parsed(text)).transpose()?;
            let policy = policy.filter(|policy| policy["Id"] != "__default_policy_ID");
            if let Some(policy) = policy {
                there.push(topic);
                found = found.or(Some(policy));
            }
        }
        let Some(policy) = found else { return Ok(None) };
        Ok(Some(Properties::default().with("Id", id).with("PolicyDocument", policy).with_list("Topics", there)))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

fn texts(properties: &Json) -> Vec<String> {
    let all = properties.get("Topics").and_then(Json::as_array).into_iter().flatten();
    all.filter_map(|topic| topic.as_str().map(str::to_owned)).collect()
}

/// Puts the policy on every topic that is named, and AWS's default on those that were and are no more.
async fn put(cx: &Cx, request: &ResourceRequest) -> Result<(), Error> {
    let policy = document(request.properties.get("PolicyDocument")).unwrap_or_default();
    let wanted = request.texts("Topics");
    for topic in &wanted {
        set(cx, topic, &policy).await?;
    }
    for topic in texts(&request.previous).into_iter().filter(|topic| !wanted.contains(topic)) {
        set(cx, &topic, "").await?;
    }
    Ok(())
}

async fn set(cx: &Cx, topic: &str, policy: &str) -> Result<(), Error> {
    let asked = SetTopicAttributesRequest {
        topic_arn: topic.to_owned(),
        attribute_name: "Policy".to_owned(),
        attribute_value: Some(policy.to_owned()),
    };
    match cx.call(asked).await {
        // What is gone has no policy any more.
        Err(error) if error.is("NotFound") && policy.is_empty() => Ok(()),
        answer => answer.map(drop),
    }
}
