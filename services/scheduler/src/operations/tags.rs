//! Tags of groups: schedules have none. Source: the API Reference, TagResource: at most 50.

use crate::errors::{no_group, validation};
use crate::records::Group;
use crate::targets::{DEFAULT, group, group_of};
use kiln_scheduler_shapes::*;
use kiln_service_kit::{
    Cx, Error, MOST_TAGS, Operation, TagFault, Target as Touches, check_tag_count, operation, read_tags,
};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest), on |cx, r| of(cx, &r.resource_arn)),
    operation!(TagResource: tag_resource(TagResourceRequest), on |cx, r| Ok(given(of(cx, &r.resource_arn)?, &r.tags))),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on taken),
];

fn of(cx: &Cx, arn: &str) -> Result<Touches, Error> {
    match group_of(cx, arn) {
        Ok(name) => group(cx, &name),
        // Refused by the operation itself.
        Err(_) => Ok(Touches::new(arn)),
    }
}

pub fn given(target: Touches, tags: &[Tag]) -> Touches {
    target.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
}

fn taken(cx: &Cx, request: &UntagResourceRequest) -> Result<Touches, Error> {
    let target = of(cx, &request.resource_arn)?;
    Ok(request.tag_keys.iter().fold(target, |target, key| target.with("aws:TagKeys", key)))
}

/// The tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    read_tags(cx, given.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))).map_err(wrong)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    check_tag_count(tags).map_err(wrong)
}

fn wrong(fault: TagFault) -> Error {
    match fault {
        TagFault::Reserved(_) => validation("Tag keys that begin with aws: are reserved."),
        TagFault::Twice(key) => validation(format!("Duplicate tag key: {key}")),
        TagFault::TooMany => validation(format!("A resource can have at most {MOST_TAGS} tags.")),
    }
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let name = group_of(cx, &request.resource_arn)?;
    let tags = match cx.store().get::<Group>(cx.scope(), &name)? {
        Some(group) => group.tags.clone(),
        None if name == DEFAULT => BTreeMap::new(),
        None => return Err(no_group(&name)),
    };
    Ok(ListTagsForResourceResponse { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

async fn change(cx: &Cx, arn: &str, change: impl Fn(&mut BTreeMap<String, String>)) -> Result<(), Error> {
    let name = group_of(cx, arn)?;
    cx.store()
        .write(|tx| {
            let mut group = match tx.get::<Group>(cx.scope(), &name)? {
                Some(group) => (*group).clone(),
                None if name == DEFAULT => {
                    let made = tx.now();
                    Group { name: name.clone(), made, modified: made, tags: BTreeMap::new(), token: None }
                }
                None => return Err(no_group(&name)),
            };
            change(&mut group.tags);
            check(&group.tags)?;
            tx.put_if_changed(cx.scope(), &name, group)?;
            Ok(())
        })
        .await
}

async fn tag_resource(cx: &Cx, request: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    let new = read(cx, &request.tags)?;
    change(cx, &request.resource_arn, |tags| tags.extend(new.clone())).await?;
    Ok(TagResourceResponse {})
}

async fn untag_resource(cx: &Cx, request: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    change(cx, &request.resource_arn, |tags| tags.retain(|key, _| !request.tag_keys.contains(key))).await?;
    Ok(UntagResourceResponse {})
}
