//! CloudFormation types: rules, buses, policies of buses.

mod bus;
mod bus_policy;
mod rule;

use kiln_events_shapes::{ListTagsForResourceRequest, Tag, TagResourceRequest, UntagResourceRequest};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType};
use serde_json::Value as Json;
use std::sync::Arc;

/// All of them.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(bus::BusType), Arc::new(bus_policy::BusPolicyType), Arc::new(rule::RuleType)]
}

/// A document of a template, which may be written as text.
fn document(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A document as it is kept, as JSON.
fn parsed(text: &str) -> Result<Json, Error> {
    serde_json::from_str(text).map_err(|e| Error::failed("read a document of events", e))
}

fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// Brings the tags of a thing to what a template says now.
async fn update_tags(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let (gone, wanted) = (request.removed_tags(), tags(request));
    if !gone.is_empty() {
        cx.call(UntagResourceRequest { resource_arn: arn.to_owned(), tag_keys: gone }).await?;
    }
    if !wanted.is_empty() {
        cx.call(TagResourceRequest { resource_arn: arn.to_owned(), tags: wanted }).await?;
    }
    Ok(())
}

/// With the tags that a thing has.
async fn with_tags(cx: &Cx, arn: &str, read: Properties) -> Result<Properties, Error> {
    let kept = cx.call(ListTagsForResourceRequest { resource_arn: arn.to_owned() }).await?.tags;
    Ok(read.with_tags(kept.into_iter().map(|tag| (Some(tag.key), Some(tag.value)))))
}
