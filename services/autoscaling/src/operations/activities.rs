//! What was done to groups, newest first.

use super::page_size;
use crate::errors::{bad_token, group_not_found, validation};
use crate::records::{self, Group, activity};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Asked, Cx, Error, Operation, Position, Timestamp, Window, operation, page_of};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeScalingActivities: describe_scaling_activities(DescribeScalingActivitiesRequest), on everything),
];

/// An activity as callers see it; no ARN: its group was deleted.
pub fn show(activity: &records::Activity, arn: Option<String>) -> Activity {
    Activity {
        activity_id: Some(activity.id.clone()),
        auto_scaling_group_name: Some(activity.group.clone()),
        description: Some(activity.description.clone()),
        cause: Some(activity.cause.clone()),
        start_time: Some(activity.start),
        end_time: activity.end,
        status_code: Some(activity.status.name().to_owned()),
        status_message: activity.message.clone(),
        progress: Some(activity.progress),
        details: Some(activity.details()),
        auto_scaling_group_state: arn.is_none().then(|| "Deleted".to_owned()),
        auto_scaling_group_arn: arn,
    }
}

async fn describe_scaling_activities(
    cx: &Cx,
    request: DescribeScalingActivitiesRequest,
) -> Result<DescribeScalingActivitiesResponse, Error> {
    let deleted_too = request.include_deleted_groups == Some(true);
    if let Some(name) = &request.auto_scaling_group_name
        && !deleted_too
        && cx.store().get::<Group>(cx.scope(), name)?.is_none()
    {
        return Err(group_not_found(name));
    }
    let limit = page_size(request.max_records, 100, 100)?;
    let filters = Filters::parse(&request.filters)?;
    let groups: Vec<Arc<Group>> = cx.store().list::<Group>(cx.scope())?.into_iter().map(|(_, g)| g).collect();
    let group_of = |activity: &records::Activity| groups.iter().find(|g| g.uuid == activity.group_uuid);
    let wanted = |activity: &records::Activity| {
        (deleted_too || group_of(activity).is_some())
            && request.auto_scaling_group_name.as_ref().is_none_or(|name| activity.group == *name)
            && (request.activity_ids.is_empty() || request.activity_ids.contains(&activity.id))
            && filters.accept(activity)
    };
    // First what is under way: what ends meanwhile is history then.
    let all = cx.store().list::<records::Activity>(cx.scope())?;
    let mut also: Vec<(Position, records::Activity)> =
        all.into_iter().map(|(_, activity)| (activity.position(), activity.as_ref().clone())).collect();
    let mut window = Window { from: filters.from, to: filters.to, ..Window::newest(None) };
    let stream = match (&request.auto_scaling_group_name, request.activity_ids.is_empty()) {
        (_, false) => {
            for id in &request.activity_ids {
                let found = cx.history().newest::<records::Activity>(cx.scope(), &activity::of_id(id))?;
                also.extend(found.map(|activity| (activity.position(), activity)));
            }
            // They are looked up, not searched for.
            window.to = Some(Timestamp::from_millis(0));
            activity::ALL.to_owned()
        }
        (Some(name), true) => activity::of_group(name),
        (None, true) => activity::ALL.to_owned(),
    };
    let asked = Asked { stream: &stream, window, token: request.next_token.as_deref(), limit };
    let page = page_of(cx, asked, also, wanted, bad_token)?;
    let shown = page
        .items
        .iter()
        .map(|activity| show(activity, group_of(activity).map(|group| group.arn(cx.region(), cx.account()))));
    Ok(DescribeScalingActivitiesResponse { activities: shown.collect(), next_token: page.next_token })
}

/// `StartTimeLowerBound`, `StartTimeUpperBound`, `Status`.
#[derive(Default)]
struct Filters {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    status: Option<Vec<String>>,
}

impl Filters {
    fn parse(given: &[Filter]) -> Result<Self, Error> {
        let mut filters = Self::default();
        for filter in given {
            let name = filter.name.as_deref().unwrap_or_default();
            let time = || match filter.values.as_slice() {
                [one] => {
                    Timestamp::parse(one).map_err(|_| validation(format!("Invalid value {one} for filter {name}")))
                }
                _ => Err(validation(format!("Filter {name} takes one value"))),
            };
            match name {
                "StartTimeLowerBound" => filters.from = Some(time()?),
                "StartTimeUpperBound" => filters.to = Some(time()?),
                "Status" => filters.status = Some(filter.values.clone()),
                _ => {
                    return Err(validation(format!(
                        "Filter type {name} is not correct. Allowed Filter types are: StartTimeLowerBound StartTimeUpperBound Status"
                    )));
                }
            }
        }
        Ok(filters)
    }

    fn accept(&self, activity: &records::Activity) -> bool {
        self.from.is_none_or(|from| activity.start >= from)
            && self.to.is_none_or(|to| activity.start <= to)
            && self.status.as_ref().is_none_or(|all| all.iter().any(|s| s == activity.status.name()))
    }
}
