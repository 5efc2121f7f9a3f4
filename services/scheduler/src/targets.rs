//! Groups and schedules, for policies. Source: Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon EventBridge Scheduler".

use crate::errors::no_group;
use crate::records::Group;
use kiln_service_kit::{Cx, Error, Target};

pub const DEFAULT: &str = "default";

pub fn group_arn(cx: &Cx, name: &str) -> String {
    cx.arn("scheduler", &format!("schedule-group/{name}"))
}

pub fn schedule_arn(cx: &Cx, group: &str, name: &str) -> String {
    cx.arn("scheduler", &format!("schedule/{group}/{name}"))
}

/// A group, with its tags.
pub fn group(cx: &Cx, name: &str) -> Result<Target, Error> {
    let target = Target::new(group_arn(cx, name));
    Ok(match cx.store().get::<Group>(cx.scope(), name)? {
        Some(group) => target.tagged("scheduler", &group.tags),
        None => target,
    })
}

/// The group that an ARN of this account and region names.
pub fn group_of(cx: &Cx, arn: &str) -> Result<String, Error> {
    arn.strip_prefix(&group_arn(cx, "")).map(str::to_owned).ok_or_else(|| no_group(arn))
}

/// A schedule.
pub fn schedule(cx: &Cx, group: Option<&str>, name: &str) -> Target {
    Target::new(schedule_arn(cx, group.unwrap_or(DEFAULT), name))
}
