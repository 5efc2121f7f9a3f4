//! Tags of groups.

use super::describe_groups::tag_description;
use super::page_size;
use crate::changes;
use crate::errors::{bad_token, tagged_group_not_found, validation};
use crate::records::{Group, GroupTag};
use crate::targets::tagged;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateOrUpdateTags: create_or_update_tags(CreateOrUpdateTagsRequest), on |cx, r| tagged(cx, &r.tags)),
    operation!(DeleteTags: delete_tags(DeleteTagsRequest), on |cx, r| tagged(cx, &r.tags)),
    operation!(DescribeTags: describe_tags(DescribeTagsRequest), on everything),
];

/// Tags a group may have. Source: "Tag Auto Scaling groups and instances".
const MAX_TAGS: usize = 50;

/// Checks the tags of a new group.
pub fn for_group(cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<Vec<GroupTag>, Error> {
    let mut checked = vec![];
    for tag in tags {
        if tag.resource_id.as_ref().is_some_and(|id| id != name) {
            return Err(validation("Tags of a new group can only name that group"));
        }
        put(cx, &mut checked, tag)?;
    }
    Ok(checked)
}

fn put(cx: &Cx, tags: &mut Vec<GroupTag>, tag: Tag) -> Result<(), Error> {
    // CloudFormation sets its own; a call from outside has an address.
    if tag.key.to_ascii_lowercase().starts_with("aws:") && cx.source_ip().is_some() {
        return Err(validation(format!("Tag key {} is reserved: it begins with aws:", tag.key)));
    }
    let new = GroupTag {
        key: tag.key,
        value: tag.value.unwrap_or_default(),
        propagate: tag.propagate_at_launch.unwrap_or(false),
    };
    let own = tags.iter().filter(|t| !t.key.starts_with("aws:")).count();
    match tags.iter_mut().find(|t| t.key == new.key) {
        Some(known) => *known = new,
        None if own >= MAX_TAGS => return Err(validation(format!("A group can have at most {MAX_TAGS} tags"))),
        None => tags.push(new),
    }
    Ok(())
}

/// The group a tag names.
fn group_of(tag: &Tag) -> Result<&str, Error> {
    if tag.resource_type.as_deref().is_some_and(|t| t != "auto-scaling-group") {
        return Err(validation("Invalid resource type; the only valid value is auto-scaling-group"));
    }
    tag.resource_id.as_deref().ok_or_else(|| validation("ResourceId is required"))
}

fn group_to_tag(tx: &Tx<'_>, cx: &Cx, name: &str) -> Result<Group, Error> {
    match tx.get::<Group>(cx.scope(), name)? {
        Some(_) => changes::group_to_change(tx, cx.scope(), name),
        None => Err(tagged_group_not_found(name)),
    }
}

async fn create_or_update_tags(
    cx: &Cx,
    request: CreateOrUpdateTagsRequest,
) -> Result<CreateOrUpdateTagsResponse, Error> {
    cx.store()
        .write(|tx| {
            for tag in request.tags {
                let name = group_of(&tag)?.to_owned();
                let mut group = group_to_tag(tx, cx, &name)?;
                put(cx, &mut group.tags, tag)?;
                tx.put_if_changed(cx.scope(), &name, group)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(CreateOrUpdateTagsResponse {})
}

async fn delete_tags(cx: &Cx, request: DeleteTagsRequest) -> Result<DeleteTagsResponse, Error> {
    cx.store()
        .write(|tx| {
            for tag in &request.tags {
                let name = group_of(tag)?;
                let mut group = group_to_tag(tx, cx, name)?;
                group.tags.retain(|t| t.key != tag.key || tag.value.as_ref().is_some_and(|value| t.value != *value));
                tx.put_if_changed(cx.scope(), name, group)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(DeleteTagsResponse {})
}

async fn describe_tags(cx: &Cx, request: DescribeTagsRequest) -> Result<DescribeTagsResponse, Error> {
    // Also where there is no tag to compare with.
    for filter in &request.filters {
        if filter.name.as_deref() == Some("propagate-at-launch") {
            booleans(&filter.values)?;
        }
    }
    let mut found: Vec<(String, TagDescription)> = vec![];
    for (_, group) in cx.store().list::<Group>(cx.scope())? {
        let Group { name, tags, .. } = group.as_ref();
        for tag in tags {
            if matches(name, tag, &request.filters)? {
                found.push((format!("{name}\u{0}{}", tag.key), tag_description(name, tag)));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = page_size(request.max_records, 50, 100)?;
    let page = paginate(found, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let tags = page.items.into_iter().map(|(_, tag)| tag).collect();
    Ok(DescribeTagsResponse { tags, next_token: page.next_token })
}

/// `true` and `false`, however they are written: languages write their own.
fn booleans(values: &[String]) -> Result<Vec<bool>, Error> {
    let one = |value: &String| match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(validation(format!("Filter value {value} is not correct: propagate-at-launch takes true and false"))),
    };
    values.iter().map(one).collect()
}

fn matches(group: &str, tag: &GroupTag, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let name = filter.name.as_deref().unwrap_or_default();
        let value = match name {
            "auto-scaling-group" => group.to_owned(),
            "key" => tag.key.clone(),
            "value" => tag.value.clone(),
            "propagate-at-launch" => {
                if !booleans(&filter.values)?.contains(&tag.propagate) {
                    return Ok(false);
                }
                continue;
            }
            _ => {
                return Err(validation(format!(
                    "Filter type {name} is not correct. Allowed Filter types are: auto-scaling-group key value propagate-at-launch"
                )));
            }
        };
        if !filter.values.contains(&value) {
            return Ok(false);
        }
    }
    Ok(true)
}
