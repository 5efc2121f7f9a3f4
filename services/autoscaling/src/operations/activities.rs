//! What was done to groups, newest first.

use super::page_size;
use crate::errors::{bad_token, group_not_found, validation};
use crate::records::{self, Group};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] =
    &[operation!(DescribeScalingActivities: describe_scaling_activities(DescribeScalingActivitiesRequest))];

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
    let mut found = vec![];
    for (_, activity) in cx.store().list::<records::Activity>(cx.scope())? {
        let group = groups.iter().find(|g| g.uuid == activity.group_uuid);
        let wanted = (group.is_some() || deleted_too)
            && request.auto_scaling_group_name.as_ref().is_none_or(|name| activity.group == *name)
            && (request.activity_ids.is_empty() || request.activity_ids.contains(&activity.id))
            && filters.accept(&activity);
        if wanted {
            let arn = group.map(|group| group.arn(cx.region(), cx.account()));
            found.push((newest_first(&activity), show(&activity, arn)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let page = paginate(found, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let activities = page.items.into_iter().map(|(_, activity)| activity).collect();
    Ok(DescribeScalingActivitiesResponse { activities, next_token: page.next_token })
}

/// A text that sorts activities by their start, newest first.
fn newest_first(activity: &records::Activity) -> String {
    format!("{:020} {}", i64::MAX - activity.start.millis(), activity.id)
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
