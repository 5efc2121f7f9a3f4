//! Tags of buses and rules. Source: the API Reference, TagResource: at most 50.

use crate::errors::{not_found, validation};
use crate::names::{BusName, thing};
use crate::records::{Bus, Rule};
use crate::targets;
use kiln_events_shapes::*;
use kiln_service_kit::{
    Cx, Error, MOST_TAGS, Operation, TagFault, Target as Touches, check_tag_count, operation, read_tags,
};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTagsForResource: list_tags_for_resource(ListTagsForResourceRequest), on |cx, r| targets::thing(cx, &r.resource_arn)),
    operation!(TagResource: tag_resource(TagResourceRequest),
        on |cx, r| Ok(targets::given(targets::thing(cx, &r.resource_arn)?, &r.tags))),
    operation!(UntagResource: untag_resource(UntagResourceRequest), on taken),
];

fn taken(cx: &Cx, request: &UntagResourceRequest) -> Result<Touches, Error> {
    let target = targets::thing(cx, &request.resource_arn)?;
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

fn not_there(arn: &str) -> Error {
    not_found(format!("{arn} does not exist."))
}

async fn list_tags_for_resource(
    cx: &Cx,
    request: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let arn = &request.resource_arn;
    let tags = match thing(cx, arn).ok_or_else(|| not_there(arn))? {
        (bus, Some(rule)) => {
            let id = BusName::own(cx, &bus).rule_id(&rule);
            cx.store().get::<Rule>(cx.scope(), &id)?.ok_or_else(|| not_there(arn))?.tags.clone()
        }
        (bus, None) => BusName::own(cx, &bus).check(cx.store())?.map_or_else(BTreeMap::new, |bus| bus.tags.clone()),
    };
    Ok(ListTagsForResourceResponse { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

async fn change(cx: &Cx, arn: &str, change: impl Fn(&mut BTreeMap<String, String>)) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            match thing(cx, arn).ok_or_else(|| not_there(arn))? {
                (bus, Some(rule)) => {
                    let id = BusName::own(cx, &bus).rule_id(&rule);
                    let mut rule = (*tx.get::<Rule>(cx.scope(), &id)?.ok_or_else(|| not_there(arn))?).clone();
                    change(&mut rule.tags);
                    check(&rule.tags)?;
                    tx.put_if_changed(cx.scope(), &id, rule)?;
                }
                (name, None) => {
                    let found = BusName::own(cx, &name).check(tx)?;
                    let mut bus = found.map_or_else(|| Bus::plain(&name, tx.now()), |bus| (*bus).clone());
                    change(&mut bus.tags);
                    check(&bus.tags)?;
                    tx.put_if_changed::<Bus>(cx.scope(), &name, bus)?;
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
