//! `AWS::SQS::Queue`. Ref gives the URL.
//!
//! A queue that an earlier try made is told by its `aws:cloudformation:*` tags: one of the same name without them was
//! there before, and creation fails.

use async_trait::async_trait;
use kiln_service_kit::{Cx, Error, Map, Properties, ResourceRequest, ResourceType, Stability};
use kiln_sqs_shapes::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Queue;

/// Properties that are attributes of the same name, and what holds when a template no longer says one.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("DelaySeconds", "0"),
    ("FifoThroughputLimit", "perQueue"),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

/// The longest name, and how one of a FIFO queue ends.
const LONGEST: usize = 80;
const FIFO: &str = ".fifo";

#[async_trait]
impl ResourceType for Queue {
    fn type_name(&self) -> &'static str {
        "AWS::SQS::Queue"
    }

    fn serves(&self, property: &str) -> bool {
        !matches!(property, "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds")
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("KmsMasterKeyId", r#""""#), ("KmsDataKeyReusePeriodSeconds", "300")]
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("QueueName")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let queue_name = name(request);
        if let Some(url) = url_of(cx, &queue_name).await? {
            let tags = tags_of(cx, &url).await?;
            let has = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
            let ours = has("aws:cloudformation:stack-id", &request.stack_id)
                && has("aws:cloudformation:logical-id", &request.logical_id);
            return match ours {
                true => Ok(url),
                false => Err(Error::sender("AlreadyExists", format!("{queue_name} already exists"))),
            };
        }
        let mut attributes = Map::new();
        for (property, _) in ATTRIBUTES {
            attributes.extend(text(request, property).map(|text| (property.to_owned(), text)));
        }
        if is_fifo(request) {
            attributes.insert("FifoQueue".to_owned(), "true".to_owned());
        }
        let tags = request.all_tags().into_iter().collect();
        let made = cx.call(CreateQueueRequest { queue_name, attributes, tags }).await?;
        made.queue_url.ok_or_else(|| Error::internal("CreateQueue answered without a URL"))
    }

    async fn update(&self, cx: &Cx, url: &str, request: &ResourceRequest) -> Result<(), Error> {
        let mut attributes = Map::new();
        for (property, default) in ATTRIBUTES {
            if request.changed(property) {
                attributes.insert(property.to_owned(), text(request, property).unwrap_or_else(|| default.to_owned()));
            }
        }
        if !attributes.is_empty() {
            cx.call(SetQueueAttributesRequest { queue_url: url.to_owned(), attributes }).await?;
        }
        let tag_keys = request.removed_tags();
        if !tag_keys.is_empty() {
            cx.call(UntagQueueRequest { queue_url: url.to_owned(), tag_keys }).await?;
        }
        let tags: Map<String> = request.all_tags().into_iter().collect();
        if !tags.is_empty() {
            cx.call(TagQueueRequest { queue_url: url.to_owned(), tags }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, url: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteQueueRequest { queue_url: url.to_owned() }).await {
            Err(error) if !error.is("QueueDoesNotExist") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        Ok(url_of(cx, name).await?.is_some())
    }

    async fn read(&self, cx: &Cx, url: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(attributes) = attributes_of(cx, url).await? else { return Ok(None) };
        let mut read = Properties::default().with("QueueUrl", url);
        for (name, text) in &attributes {
            let value = match name.as_str() {
                "QueueArn" => {
                    read = read.with("QueueName", text.rsplit(':').next()).with("Arn", text);
                    continue;
                }
                "RedrivePolicy" | "RedriveAllowPolicy" => {
                    serde_json::from_str(text).map_err(|e| Error::failed("read a policy of a queue", e))?
                }
                "FifoQueue" => json!(text == "true"),
                name if ATTRIBUTES.iter().any(|(known, _)| *known == name) => match text.as_str() {
                    "true" | "false" => json!(text == "true"),
                    text => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
                },
                _ => continue,
            };
            read = read.with(name, value);
        }
        let tags = tags_of(cx, url).await?;
        Ok(Some(read.with_tags(tags.into_iter().map(|(key, value)| (Some(key), Some(value))))))
    }

    async fn attributes(&self, cx: &Cx, url: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let attributes = attributes_of(cx, url).await?;
        let arn = attributes.and_then(|mut all| all.remove("QueueArn"));
        let arn = arn.ok_or_else(|| Error::sender("NotFound", format!("The queue {url} is not there.")))?;
        let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(BTreeMap::from([
            ("Arn".to_owned(), json!(arn)),
            ("QueueName".to_owned(), json!(name)),
            ("QueueUrl".to_owned(), json!(url)),
        ]))
    }
}

fn is_fifo(request: &ResourceRequest) -> bool {
    request.boolean("FifoQueue").unwrap_or(false)
}

/// The name that the template says, or one that was made up.
fn name(request: &ResourceRequest) -> String {
    if let Some(name) = request.text("QueueName") {
        return name;
    }
    let suffix = if is_fifo(request) { FIFO } else { "" };
    let made = &request.physical_name;
    // What tells it from others stands at its end.
    let from = made.len().saturating_sub(LONGEST - suffix.len());
    format!("{}{suffix}", made.get(from..).unwrap_or(made))
}

/// A property as an attribute has it.
fn text(request: &ResourceRequest, property: &str) -> Option<String> {
    match request.properties.get(property)? {
        value @ (Json::Object(_) | Json::Array(_)) => Some(value.to_string()),
        _ => request.text(property),
    }
}

async fn url_of(cx: &Cx, name: &str) -> Result<Option<String>, Error> {
    let asked = GetQueueUrlRequest { queue_name: name.to_owned(), queue_owner_aws_account_id: None };
    match cx.call(asked).await {
        Err(error) if error.is("QueueDoesNotExist") => Ok(None),
        answer => Ok(answer?.queue_url),
    }
}

async fn attributes_of(cx: &Cx, url: &str) -> Result<Option<Map<String>>, Error> {
    let asked = GetQueueAttributesRequest { queue_url: url.to_owned(), attribute_names: vec!["All".to_owned()] };
    match cx.call(asked).await {
        Err(error) if error.is("QueueDoesNotExist") => Ok(None),
        answer => Ok(Some(answer?.attributes)),
    }
}

async fn tags_of(cx: &Cx, url: &str) -> Result<Map<String>, Error> {
    match cx.call(ListQueueTagsRequest { queue_url: url.to_owned() }).await {
        Err(error) if error.is("QueueDoesNotExist") => Ok(Map::new()),
        answer => Ok(answer?.tags),
    }
}
