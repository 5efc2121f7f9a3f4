//! How many instances groups have and want, as AWS/AutoScaling names it: of groups whose metrics are enabled, those that
//! are. Source: Amazon EC2 Auto Scaling User Guide, "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling".
//!
//! Capacities are counts: a group has no weights of types.

use crate::records::{Group, Lifecycle, Member};
use kiln_meters::{Meter, Reading, Tick};
use kiln_service_kit::{BoxFuture, Error, Platform, async_trait};
use std::sync::Arc;

/// Measures from now on.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move { kiln_meters::start(&platform, Groups) })
}

struct Groups;

#[async_trait]
impl Meter for Groups {
    fn name(&self) -> &'static str {
        "autoscaling"
    }

    async fn read(&self, platform: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error> {
        let mut readings = vec![];
        if !tick.ends(1) {
            return Ok(readings);
        }
        let store = platform.store().whole();
        for (scope, _, group) in store.list_everywhere::<Group>()? {
            if group.enabled_metrics.is_empty() {
                continue;
            }
            let members = store.by_key::<Member>(&scope, "group", &group.name)?;
            for (name, value) in values(&group, members.iter().map(|(_, member)| &**member)) {
                if group.enabled_metrics.iter().any(|enabled| enabled == name) {
                    let dimensions = vec![("AutoScalingGroupName", group.name.clone())];
                    let (scope, values) = (scope.clone(), vec![(value as f64, 1.0)]);
                    readings.push(Reading {
                        scope,
                        namespace: "AWS/AutoScaling",
                        name,
                        dimensions,
                        unit: "None",
                        values,
                    });
                }
            }
        }
        Ok(readings)
    }
}

fn values<'m>(group: &Group, members: impl Iterator<Item = &'m Member>) -> Vec<(&'static str, i64)> {
    let (mut serving, mut pending, mut standby, mut terminating) = (0, 0, 0, 0);
    for member in members {
        match member.lifecycle {
            Lifecycle::InService | Lifecycle::EnteringStandby => serving += 1,
            Lifecycle::Standby => standby += 1,
            _ if member.is_pending() => pending += 1,
            _ => terminating += 1,
        }
    }
    let total = serving + pending + standby + terminating;
    vec![
        ("GroupMinSize", i64::from(group.min)),
        ("GroupMaxSize", i64::from(group.max)),
        ("GroupDesiredCapacity", i64::from(group.desired)),
        ("GroupInServiceInstances", serving),
        ("GroupPendingInstances", pending),
        ("GroupStandbyInstances", standby),
        ("GroupTerminatingInstances", terminating),
        ("GroupTotalInstances", total),
        ("GroupInServiceCapacity", serving),
        ("GroupPendingCapacity", pending),
        ("GroupStandbyCapacity", standby),
        ("GroupTerminatingCapacity", terminating),
        ("GroupTotalCapacity", total),
    ]
}
