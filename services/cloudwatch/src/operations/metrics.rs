//! Source: the service's API Reference, ListMetrics.

use crate::records::Metric as Kept;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_cloudwatch_shapes::*;

pub const OPERATIONS: &[Operation] = &[operation!(ListMetrics: list_metrics(ListMetricsRequest), on everything)];

/// Nothing makes one yet: an answer would be made up.
async fn list_metrics(cx: &Cx, _: ListMetricsRequest) -> Result<ListMetricsResponse, Error> {
    let kept = cx.store().list::<Kept>(cx.scope())?.len();
    Err(Error::not_built(format!("monitoring:ListMetrics (there are {kept})")))
}
