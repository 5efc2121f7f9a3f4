//! Which metrics of a group are told. Source: Amazon EC2 Auto Scaling API Reference, EnableMetricsCollection,
//! DisableMetricsCollection.

use crate::changes;
use crate::errors::validation;
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(EnableMetricsCollection: enable_metrics_collection(EnableMetricsCollectionRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DisableMetricsCollection: disable_metrics_collection(DisableMetricsCollectionRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

/// Source: API Reference, EnableMetricsCollection.
pub const METRICS: [&str; 20] = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
    "WarmPoolDesiredCapacity",
    "WarmPoolWarmedCapacity",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
];

/// The metrics named; all when none is.
fn metrics(given: &[String]) -> Result<Vec<String>, Error> {
    match given.iter().find(|name| !METRICS.contains(&name.as_str())) {
        Some(name) => Err(validation(format!("Invalid metric: {name}"))),
        None if given.is_empty() => Ok(METRICS.map(str::to_owned).to_vec()),
        None => Ok(given.to_vec()),
    }
}

async fn enable_metrics_collection(
    cx: &Cx,
    request: EnableMetricsCollectionRequest,
) -> Result<EnableMetricsCollectionResponse, Error> {
    if request.granularity != "1Minute" {
        return Err(validation("Invalid granularity: the only valid value is 1Minute"));
    }
    let given = metrics(&request.metrics)?;
    let warm = |name: &&String| name.contains("WarmPool");
    if let Some(name) = request.metrics.iter().find(warm) {
        return Err(Error::not_built(format!(
            "autoscaling:EnableMetricsCollection of {name} (there are no warm pools)"
        )));
    }
    change(cx, &request.auto_scaling_group_name, |enabled| {
        for metric in given.into_iter().filter(|name| !warm(&name)) {
            if !enabled.contains(&metric) {
                enabled.push(metric);
            }
        }
    })
    .await?;
    Ok(EnableMetricsCollectionResponse {})
}

async fn disable_metrics_collection(
    cx: &Cx,
    request: DisableMetricsCollectionRequest,
) -> Result<DisableMetricsCollectionResponse, Error> {
    let gone = metrics(&request.metrics)?;
    change(cx, &request.auto_scaling_group_name, |enabled| enabled.retain(|metric| !gone.contains(metric))).await?;
    Ok(DisableMetricsCollectionResponse {})
}

async fn change(cx: &Cx, name: &str, change: impl FnOnce(&mut Vec<String>)) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            change(&mut group.enabled_metrics);
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok::<_, Error>(())
        })
        .await
}
