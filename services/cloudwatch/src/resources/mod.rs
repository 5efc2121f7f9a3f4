//! CloudFormation types: alarms, composite alarms, dashboards.

mod alarm;
mod composite;
mod dashboard;

use kiln_cloudwatch_shapes::{ListTagsForResourceRequest, Tag, TagResourceRequest, UntagResourceRequest};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::Value as Json;
use std::sync::Arc;

/// All of them.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(alarm::AlarmType), Arc::new(composite::CompositeAlarmType), Arc::new(dashboard::DashboardType)]
}

/// The name that a template gives or that is generated; refused where somebody else's thing has it.
async fn free_name(
    cx: &Cx,
    request: &ResourceRequest,
    property: &str,
    there: impl Fn(&kiln_service_kit::Tx<'_>, &str) -> Result<bool, Error>,
) -> Result<String, Error> {
    // A generated name is this resource's alone: an earlier try made what has it.
    let Some(name) = request.text(property) else { return Ok(request.physical_name.clone()) };
    let mut is_there = false;
    let ours = request
        .made_before(cx, |tx| {
            is_there = there(tx, &name)?;
            Ok(is_there)
        })
        .await?;
    match is_there && !ours {
        true => Err(Error::sender("AlreadyExists", format!("{name} already exists"))),
        false => Ok(name),
    }
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

/// What is gone is as good as deleted.
fn deleted<T>(answer: Result<T, Error>, gone: &str) -> Result<Stability, Error> {
    match answer {
        Err(error) if !error.is(gone) => Err(error),
        _ => Ok(Stability::Ready),
    }
}

fn text(json: &Json, name: &str) -> Option<String> {
    match json.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

fn integer(json: &Json, name: &str) -> Option<i32> {
    text(json, name)?.parse().ok()
}

fn flag(json: &Json, name: &str) -> Option<bool> {
    text(json, name)?.parse().ok()
}

fn items<'j>(json: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    json.get(name).and_then(Json::as_array).into_iter().flatten()
}
