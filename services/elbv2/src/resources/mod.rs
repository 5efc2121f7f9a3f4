//! CloudFormation types, each by the service's own public operations.
//!
//! What an earlier try made is told by its `aws:cloudformation:*` tags: a thing of the same name
//! without them is somebody else's, and creation fails.

mod listener;
mod listener_rule;
mod load_balancer;
mod target_group;

use kiln_elbv2_shapes::*;
use kiln_protocol::{Shape, stored};
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType};
use serde_json::Value as Json;
use std::sync::Arc;

/// All of them.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(load_balancer::LoadBalancer),
        Arc::new(target_group::TargetGroup),
        Arc::new(listener::Listener),
        Arc::new(listener_rule::ListenerRule),
    ]
}

/// The properties as an operation's request: they have the same names. `name` fills what the
/// template may leave out.
fn as_request<T: Shape>(request: &ResourceRequest, name: Option<&str>) -> Result<T, Error> {
    let mut members = request.properties.as_object().cloned().unwrap_or_default();
    // Stack tags come first, from `tags`.
    members.remove("Tags");
    if let Some(name) = name {
        members.insert("Name".to_owned(), Json::String(name.to_owned()));
    }
    stored::from_json(Json::Object(members))
}

/// A list property.
fn list<T: Shape>(properties: &Json, name: &str) -> Result<Vec<T>, Error> {
    match properties.get(name) {
        Some(Json::Array(items)) => items.iter().cloned().map(stored::from_json).collect(),
        _ => Ok(vec![]),
    }
}

/// Stack tags and the resource's own.
fn tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key, value: Some(value) }).collect()
}

/// What tells whose a thing is, for types that CloudFormation does not tag (listeners, rules).
fn own_tags(request: &ResourceRequest) -> Vec<Tag> {
    tags(request).into_iter().filter(|tag| tag.key.starts_with("aws:cloudformation:")).collect()
}

/// Whether a thing is what an earlier try of this creation made.
async fn is_ours(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<bool, Error> {
    let found = cx.call(DescribeTagsRequest { resource_arns: vec![arn.to_owned()] }).await?;
    let on = |key: &str, value: &str| {
        let tags = found.tag_descriptions.iter().flat_map(|d| &d.tags);
        tags.into_iter().any(|t| t.key == key && t.value.as_deref() == Some(value))
    };
    Ok(on("aws:cloudformation:stack-id", &request.stack_id) && on("aws:cloudformation:logical-id", &request.logical_id))
}

fn already_exists(kind: &str, name: &str) -> Error {
    Error::sender("AlreadyExists", format!("Resource of type '{kind}' with identifier '{name}' already exists."))
}

/// The tags of a thing, for what is read.
async fn read_tags(cx: &Cx, arn: &str) -> Result<impl Iterator<Item = (Option<String>, Option<String>)>, Error> {
    let found = cx.call(DescribeTagsRequest { resource_arns: vec![arn.to_owned()] }).await?;
    let tags = found.tag_descriptions.into_iter().flat_map(|description| description.tags);
    Ok(tags.map(|tag| (Some(tag.key), tag.value)))
}

/// What is there; none when the answer is that it is not.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.code.ends_with("NotFound") => Ok(None),
        other => other.map(Some),
    }
}

/// Makes the tags be those of the request.
async fn set_tags(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = tags(request);
    let resource_arns = vec![arn.to_owned()];
    let kept = cx.call(DescribeTagsRequest { resource_arns: resource_arns.clone() }).await?;
    let kept = kept.tag_descriptions.into_iter().flat_map(|d| d.tags);
    let gone: Vec<String> = kept.map(|t| t.key).filter(|key| !wanted.iter().any(|t| t.key == *key)).collect();
    if !gone.is_empty() {
        cx.call(RemoveTagsRequest { resource_arns: resource_arns.clone(), tag_keys: gone }).await?;
    }
    if !wanted.is_empty() {
        cx.call(AddTagsRequest { resource_arns, tags: wanted }).await?;
    }
    Ok(())
}

/// A `Key`/`Value` list property; on an update, what was left out goes back to its default.
fn attributes(
    request: &ResourceRequest,
    name: &str,
    table: &crate::attributes::Table,
) -> Vec<(Option<String>, Option<String>)> {
    let pairs = |properties: &Json| -> Vec<(String, String)> {
        let items = properties.get(name).and_then(Json::as_array).into_iter().flatten();
        let text = |v: Option<&Json>| match v {
            Some(Json::String(s)) => s.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        items.map(|item| (text(item.get("Key")), text(item.get("Value")))).collect()
    };
    let mut wanted = pairs(&request.properties);
    for (key, _) in pairs(&request.previous) {
        let default = table.rows.iter().find(|row| row.key == key).map(|row| row.default);
        if let Some(default) = default
            && !wanted.iter().any(|(k, _)| *k == key)
        {
            wanted.push((key, default.to_owned()));
        }
    }
    wanted.into_iter().map(|(key, value)| (Some(key), Some(value))).collect()
}

/// A name of at most 32 characters from the generated one, as CloudFormation cuts it: five
/// characters of the stack, five of the resource, and all of the random end.
fn short_name(request: &ResourceRequest) -> String {
    let generated = &request.physical_name;
    if generated.len() <= 32 && generated.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return generated.clone();
    }
    let letters =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(5).collect::<String>();
    let end: String = generated.rsplit('-').next().unwrap_or(generated).chars().take(20).collect();
    let name = format!("{}-{}-{end}", letters(&request.stack_name), letters(&request.logical_id));
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_cut_and_keep_their_random_end() {
        let request = |stack: &str, name: &str| ResourceRequest {
            stack_id: String::new(),
            stack_name: stack.into(),
            logical_id: "LoadBalancer".into(),
            token: String::new(),
            physical_name: name.into(),
            properties: Json::Null,
            previous: Json::Null,
            tags: vec![],
            previous_tags: vec![],
            since: kiln_service_kit::Timestamp(0),
        };
        assert_eq!(short_name(&request("shop", "shop-Targets-1A2B3C4D5E6F7")), "shop-Targets-1A2B3C4D5E6F7");
        let long = request("production-shop", "production-shop-LoadBalancer-1A2B3C4D5E6F7");
        assert_eq!(short_name(&long), "produ-LoadB-1A2B3C4D5E6F7");
    }
}
