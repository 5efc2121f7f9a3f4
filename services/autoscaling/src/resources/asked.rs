//! What Auto Scaling says of a group when its type or a rolling update asks.

use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Timestamp};

/// So many launches may fail in a row before the group is given up.
const FAILURES_IN_A_ROW: usize = 3;

/// A group by its name, if it is there.
pub async fn find(cx: &Cx, name: &str) -> Result<Option<AutoScalingGroup>, Error> {
    let request =
        DescribeAutoScalingGroupsRequest { auto_scaling_group_names: vec![name.to_owned()], ..Default::default() };
    Ok(cx.call(request).await?.auto_scaling_groups.into_iter().next())
}

/// Why the last launches since then have failed, if so many did in a row that the group is given up.
pub async fn launches_fail(cx: &Cx, name: &str, since: Timestamp) -> Result<Option<String>, Error> {
    let describe = DescribeScalingActivitiesRequest {
        auto_scaling_group_name: Some(name.to_owned()),
        max_records: Some(50),
        ..Default::default()
    };
    let launches = cx.call(describe).await?.activities.into_iter().filter(|activity| {
        let launch = activity.description.as_deref().is_some_and(|text| text.starts_with("Launching"));
        launch && activity.end_time.is_some() && activity.start_time.is_some_and(|start| start >= since)
    });
    let failed: Vec<Activity> = launches.take_while(|a| a.status_code.as_deref() != Some("Successful")).collect();
    let reason = failed.first().and_then(|activity| activity.status_message.clone());
    Ok(reason.filter(|_| failed.len() >= FAILURES_IN_A_ROW))
}
