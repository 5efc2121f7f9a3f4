//! Tags of parameters.

use super::get::find;
use crate::errors::{bad_resource_id, validation};
use crate::name::Pointer;
use crate::records::Parameter as Kept;
use crate::targets::{given, parameter, taken};
use kiln_service_kit::{Cx, Error, MOST_TAGS, Operation, TagFault, check_tag_count, operation, read_tags};
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

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    read_tags(cx, given.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))).map_err(wrong)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    check_tag_count(tags).map_err(wrong)
}

fn wrong(fault: TagFault) -> Error {
    match fault {
        TagFault::Reserved(key) => validation(format!("Tag keys that begin with aws: are reserved: {key}")),
        TagFault::Twice(key) => validation(format!("Duplicate tag key: {key}")),
        TagFault::TooMany => {
            Error::sender("TooManyTagsError", format!("A resource can have at most {MOST_TAGS} tags."))
        }
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
