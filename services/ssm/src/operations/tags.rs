//! Tags of parameters.

use super::get::find;
use crate::errors::{bad_resource_id, validation};
use crate::name::Pointer;
use crate::records::Parameter as Kept;
use crate::targets::{given, parameter, taken};
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_ssm_shapes::*;
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(AddTagsToResource: add_tags_to_resource(AddTagsToResourceRequest),
        on |cx, r| given(cx, &r.resource_id, &r.tags)),
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest),
        on |cx, r| parameter(cx, &r.resource_id)),
    operation!(RemoveTagsFromResource: remove_tags_from_resource(RemoveTagsFromResourceRequest),
        on |cx, r| taken(cx, &r.resource_id, &r.tag_keys)),
];

/// Most tags of one parameter.
const MOST: usize = 50;

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
            return Err(validation(format!("Tag keys that begin with aws: are reserved: {}", tag.key)));
        }
        if tags.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(validation(format!("Duplicate tag key: {}", tag.key)));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    match own > MOST {
        true => Err(Error::sender("TooManyTagsError", format!("A resource can have at most {MOST} tags."))),
        false => Ok(()),
    }
}

/// The name of the parameter that is tagged.
fn tagged(cx: &Cx, resource_type: &str, id: &str) -> Result<String, Error> {
    if resource_type != "Parameter" {
        return Err(Error::not_built(format!("tags of ssm resources of type {resource_type}")));
    }
    let pointer = Pointer::parse(cx, id).map_err(|_| bad_resource_id())?;
    find(cx, &pointer).map(|kept| kept.name.clone()).map_err(|_| bad_resource_id())
}

async fn change(cx: &Cx, name: &str, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let found = tx.get::<Kept>(cx.scope(), name)?.ok_or_else(bad_resource_id)?;
            let mut parameter = (*found).clone();
            change(&mut parameter.tags);
            check_count(&parameter.tags)?;
            tx.put_if_changed(cx.scope(), name, parameter)?;
            Ok(())
        })
        .await
}

async fn add_tags_to_resource(cx: &Cx, request: AddTagsToResourceRequest) -> Result<AddTagsToResourceResponse, Error> {
    let name = tagged(cx, &request.resource_type, &request.resource_id)?;
    let new = read(cx, &request.tags)?;
    change(cx, &name, |tags| tags.extend(new)).await?;
    Ok(AddTagsToResourceResponse {})
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let name = tagged(cx, &request.resource_type, &request.resource_id)?;
    let kept = cx.store().get::<Kept>(cx.scope(), &name)?.ok_or_else(bad_resource_id)?;
    let tag_list = kept.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(ListTagsForResourceResponse { tag_list })
}

async fn remove_tags_from_resource(
    cx: &Cx,
    request: RemoveTagsFromResourceRequest,
) -> Result<RemoveTagsFromResourceResponse, Error> {
    let name = tagged(cx, &request.resource_type, &request.resource_id)?;
    change(cx, &name, |tags| tags.retain(|key, _| !request.tag_keys.contains(key))).await?;
    Ok(RemoveTagsFromResourceResponse {})
}
