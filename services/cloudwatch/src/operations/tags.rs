//! Tags of alarms and dashboards. Source: the API Reference, TagResource: at most 50.

use crate::errors::{bad_value, validation};
use crate::records::{Alarm, Dashboard};
use crate::targets::{Thing, thing};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, MOST_TAGS, Operation, TagFault, Target, check_tag_count, operation, read_tags};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest), on |cx, r| thing(cx, &r.resource_arn)),
    operation!(TagResource: tag_resource(TagResourceRequest), on |cx, r| given(cx, &r.resource_arn, &r.tags)),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on taken),
];

fn given(cx: &Cx, arn: &str, tags: &[Tag]) -> Result<Target, Error> {
    Ok(thing(cx, arn)?.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

fn taken(cx: &Cx, request: &UntagResourceRequest) -> Result<Target, Error> {
    let keys = &request.tag_keys;
    Ok(keys.iter().fold(thing(cx, &request.resource_arn)?, |target, key| target.with("aws:TagKeys", key)))
}

/// Checks the tags of a request. Keys that begin with `aws:` are set by services only.
pub fn read(cx: &Cx, given: &[Tag]) -> Result<BTreeMap<String, String>, Error> {
    read_tags(cx, given.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))).map_err(wrong)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    check_tag_count(tags).map_err(wrong)
}

fn wrong(fault: TagFault) -> Error {
    match fault {
        TagFault::Reserved(_) => bad_value("Tag keys that begin with aws: are reserved."),
        TagFault::Twice(key) => bad_value(format!("Duplicate tag key: {key}")),
        TagFault::TooMany => validation(format!("A resource can have at most {MOST_TAGS} tags.")),
    }
}

fn not_there(arn: &str) -> Error {
    Error::sender("ResourceNotFoundException", format!("{arn} is not there")).with_status(404)
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let arn = &request.resource_arn;
    let tags = match Thing::of(cx, arn) {
        Some(Thing::Alarm(name)) => cx.store().get::<Alarm>(cx.scope(), &name)?.map(|alarm| alarm.tags.clone()),
        Some(Thing::Dashboard(name)) => {
            cx.store().get::<Dashboard>(&cx.global_scope(), &name)?.map(|dashboard| dashboard.tags.clone())
        }
        None => None,
    };
    let tags = tags.ok_or_else(|| not_there(arn))?;
    Ok(ListTagsForResourceResponse { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

async fn change(cx: &Cx, arn: &str, change: impl Fn(&mut BTreeMap<String, String>)) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let missing = || not_there(arn);
            match Thing::of(cx, arn).ok_or_else(missing)? {
                Thing::Alarm(name) => {
                    let mut alarm = (*tx.get::<Alarm>(cx.scope(), &name)?.ok_or_else(missing)?).clone();
                    change(&mut alarm.tags);
                    check(&alarm.tags)?;
                    tx.put_if_changed(cx.scope(), &name, alarm)?;
                }
                Thing::Dashboard(name) => {
                    let scope = cx.global_scope();
                    let mut dashboard = (*tx.get::<Dashboard>(&scope, &name)?.ok_or_else(missing)?).clone();
                    change(&mut dashboard.tags);
                    check(&dashboard.tags)?;
                    tx.put_if_changed(&scope, &name, dashboard)?;
                }
            }
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
