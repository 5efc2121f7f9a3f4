//! CreateScheduleGroup, GetScheduleGroup, ListScheduleGroups, DeleteScheduleGroup. Source: the API Reference.

use super::tags;
use crate::errors::{bad_token, conflict, no_group, over_quota, validation};
use crate::records::{Group, Schedule, schedule_id};
use crate::targets::{DEFAULT, group, group_arn};
use kiln_scheduler_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateScheduleGroup: create_schedule_group(CreateScheduleGroupRequest),
        on |cx, r| Ok(tags::given(group(cx, &r.name)?, &r.tags))),
    operation!(DeleteScheduleGroup: delete_schedule_group(DeleteScheduleGroupRequest), on |cx, r| group(cx, &r.name)),
    operation!(GetScheduleGroup: get_schedule_group(GetScheduleGroupRequest), on |cx, r| group(cx, &r.name)),
    operation!(ListScheduleGroups: list_schedule_groups(ListScheduleGroupsRequest), on |cx, _| group(cx, "*")),
];

/// Source: "Quotas for Amazon EventBridge Scheduler", schedule groups: 500.
const MOST: usize = 500;
/// Groups on a page.
const PAGE: usize = 100;

async fn create_schedule_group(
    cx: &Cx,
    request: CreateScheduleGroupRequest,
) -> Result<CreateScheduleGroupResponse, Error> {
    let given = tags::read(cx, &request.tags)?;
    let name = &request.name;
    cx.store()
        .write::<_, Error>(|tx| {
            let before = tx.get::<Group>(cx.scope(), name)?;
            // The same call again.
            if before.as_ref().is_some_and(|group| group.token.is_some() && group.token == request.client_token) {
                return Ok(());
            }
            if before.is_some() || name == DEFAULT {
                return Err(conflict(format!("Schedule group {name} already exists.")));
            }
            if tx.count::<Group>(cx.scope()) >= MOST {
                return Err(over_quota("The maximum number of schedule groups is reached."));
            }
            let (made, token) = (tx.now(), request.client_token.clone());
            let group = Group { name: name.clone(), made, modified: made, tags: given.clone(), token };
            Ok(tx.put(cx.scope(), name, group)?)
        })
        .await?;
    Ok(CreateScheduleGroupResponse { schedule_group_arn: Some(group_arn(cx, name)) })
}

/// With all that is in it.
async fn delete_schedule_group(
    cx: &Cx,
    request: DeleteScheduleGroupRequest,
) -> Result<DeleteScheduleGroupResponse, Error> {
    let name = &request.name;
    if name == DEFAULT {
        return Err(validation("The default schedule group cannot be deleted."));
    }
    cx.store()
        .write::<_, Error>(|tx| {
            if !tx.delete::<Group>(cx.scope(), name) {
                return Err(no_group(name));
            }
            for (id, _) in tx.list_prefix::<Schedule>(cx.scope(), &schedule_id(name, ""))? {
                tx.delete::<Schedule>(cx.scope(), &id);
            }
            Ok(())
        })
        .await?;
    Ok(DeleteScheduleGroupResponse {})
}

async fn get_schedule_group(cx: &Cx, request: GetScheduleGroupRequest) -> Result<GetScheduleGroupResponse, Error> {
    let name = request.name;
    let kept = cx.store().get::<Group>(cx.scope(), &name)?;
    if kept.is_none() && name != DEFAULT {
        return Err(no_group(&name));
    }
    Ok(GetScheduleGroupResponse {
        arn: Some(group_arn(cx, &name)),
        name: Some(name),
        state: Some("ACTIVE".to_owned()),
        creation_date: kept.as_ref().map(|group| group.made),
        last_modification_date: kept.as_ref().map(|group| group.modified),
    })
}

async fn list_schedule_groups(
    cx: &Cx,
    request: ListScheduleGroupsRequest,
) -> Result<ListScheduleGroupsResponse, Error> {
    let prefix = request.name_prefix.as_deref().unwrap_or("");
    let mut all: Vec<(String, Option<Arc<Group>>)> = cx
        .store()
        .list_prefix::<Group>(cx.scope(), prefix)?
        .into_iter()
        .map(|(name, group)| (name.to_string(), Some(group)))
        .collect();
    if DEFAULT.starts_with(prefix) && !all.iter().any(|(name, _)| name == DEFAULT) {
        all.push((DEFAULT.to_owned(), None));
        all.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let limit = request.max_results.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(name, group): &(String, Option<Arc<Group>>)| ScheduleGroupSummary {
        arn: Some(group_arn(cx, name)),
        name: Some(name.clone()),
        state: Some("ACTIVE".to_owned()),
        creation_date: group.as_ref().map(|group| group.made),
        last_modification_date: group.as_ref().map(|group| group.modified),
    };
    Ok(ListScheduleGroupsResponse {
        schedule_groups: page.items.iter().map(shown).collect(),
        next_token: page.next_token,
    })
}
