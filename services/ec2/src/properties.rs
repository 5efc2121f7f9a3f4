//! What the network types have in common: reading properties, tags, and finding an earlier try.

use crate::kinds::Kind;
use crate::tags::TOKEN;
use kiln_ec2_shapes::{CreateTagsRequest, DeleteTagsRequest, Filter, Tag, TagSpecification};
use kiln_service_kit::{Cx, Error, ResourceRequest, Stability};
use serde_json::Value as Json;

/// Refuses properties that the type does not carry out: none is ignored in silence.
pub fn only(type_name: &str, request: &ResourceRequest, served: &[&str]) -> Result<(), Error> {
    let given = request.properties.as_object().into_iter().flatten();
    match given.map(|(name, _)| name.as_str()).find(|name| !served.contains(name)) {
        Some(name) => Err(Error::not_built(format!("the property {name} of {type_name}"))),
        None => Ok(()),
    }
}

/// A property that the type cannot do without.
pub fn required(request: &ResourceRequest, name: &str) -> Result<String, Error> {
    request.text(name).ok_or_else(|| Error::sender("ValidationError", format!("The property {name} is required.")))
}

/// The resource's tags, with the token that marks this try.
pub fn tagged(request: &ResourceRequest, kind: &Kind) -> Vec<TagSpecification> {
    let mut tags = plain_tags(request);
    tags.push(Tag { key: Some(TOKEN.to_owned()), value: Some(request.token.clone()) });
    vec![TagSpecification { resource_type: Some(kind.resource_type.to_owned()), tags }]
}

/// The token alone, for things that do not get the stack's tags.
pub fn marked(request: &ResourceRequest, kind: &Kind) -> Vec<TagSpecification> {
    let tags = vec![Tag { key: Some(TOKEN.to_owned()), value: Some(request.token.clone()) }];
    vec![TagSpecification { resource_type: Some(kind.resource_type.to_owned()), tags }]
}

fn plain_tags(request: &ResourceRequest) -> Vec<Tag> {
    request.all_tags().into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

/// Finds what an earlier try with the same token made.
pub fn made_before(request: &ResourceRequest) -> Vec<Filter> {
    filter(&format!("tag:{TOKEN}"), &request.token)
}

/// One filter with one value.
pub fn filter(name: &str, value: &str) -> Vec<Filter> {
    vec![Filter { name: Some(name.to_owned()), values: vec![value.to_owned()] }]
}

/// Brings the tags of a thing to what the template says now.
pub async fn retag(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let gone: Vec<Tag> = request.removed_tags().into_iter().map(|key| Tag { key: Some(key), value: None }).collect();
    set_tags(cx, id, &gone, plain_tags(request)).await
}

/// Puts tags on a thing and takes off those of the earlier ones that are not among them.
pub async fn set_tags(cx: &Cx, id: &str, earlier: &[Tag], tags: Vec<Tag>) -> Result<(), Error> {
    let resources = || vec![id.to_owned()];
    let gone: Vec<Tag> = earlier
        .iter()
        .filter(|old| !tags.iter().any(|tag| tag.key == old.key))
        .map(|old| Tag { key: old.key.clone(), value: None })
        .collect();
    if !gone.is_empty() {
        cx.call(DeleteTagsRequest { resources: resources(), tags: gone, ..Default::default() }).await?;
    }
    if !tags.is_empty() {
        cx.call(CreateTagsRequest { resources: resources(), tags, ..Default::default() }).await?;
    }
    Ok(())
}

/// What a deletion came to: gone already is done. What something else still uses is refused, and the engine
/// tries again for a while: that may be on its way out too.
pub fn deleted<T>(outcome: Result<T, Error>) -> Result<Stability, Error> {
    match outcome {
        Ok(_) => Ok(Stability::Ready),
        Err(error) if is_gone(&error) => Ok(Stability::Ready),
        // An interface that is in use is refused as a wrong value; the engine is to know it for what it is.
        Err(error) if error.message.ends_with("is currently in use.") => {
            Err(Error::sender("DependencyViolation", error.message))
        }
        Err(error) => Err(error),
    }
}

/// Whether the error says that the thing is not there.
pub fn is_gone(error: &Error) -> bool {
    error.code.ends_with(".NotFound") || error.is("NatGatewayNotFound") || error.is("Gateway.NotAttached")
}

/// What is there; none when the answer is that it is not.
pub fn found<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(error) if is_gone(&error) => Ok(None),
        other => other.map(Some),
    }
}

/// Tags as they are read.
pub fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    tags.into_iter().map(|tag| (tag.key, tag.value))
}

/// Gone already is as good as removed.
pub fn gone_is_fine<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

/// A text of a nested property.
pub fn text(value: &Json, name: &str) -> Option<String> {
    match value.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A whole number of a nested property, given as number or text.
pub fn number(value: &Json, name: &str) -> Result<Option<i32>, Error> {
    text(value, name)
        .map(|text| {
            text.parse().map_err(|_| Error::sender("ValidationError", format!("{name} must be a number, not {text}.")))
        })
        .transpose()
}

/// The items of a list property; one that is not a list counts as a list of one.
pub fn items<'a>(properties: &'a Json, name: &str) -> Vec<&'a Json> {
    match properties.get(name) {
        None | Some(Json::Null) => vec![],
        Some(Json::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}

/// An answer without the member it always has.
pub fn lacks(what: &str) -> Error {
    Error::internal(format!("the answer lacks {what}"))
}
