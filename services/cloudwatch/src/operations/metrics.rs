//! ListMetrics. Source: the API Reference, ListMetrics: 500 a page, metrics that had data in the last two weeks.

use crate::errors::{bad_token, bad_value, points};
use crate::{names, page};
use kiln_cloudwatch_shapes::*;
use kiln_points::{Points, Wanted};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(ListMetrics: list_metrics(ListMetricsRequest), on everything)];

const PAGE: usize = 500;
/// Seconds: two weeks, and what `PT3H` says.
const LISTED: i64 = 14 * 24 * 3600;
const RECENT: i64 = 3 * 3600;

async fn list_metrics(cx: &Cx, request: ListMetricsRequest) -> Result<ListMetricsResponse, Error> {
    if request.owning_account.is_some() || request.include_linked_accounts == Some(true) {
        return Err(Error::not_built(
            "cloudwatch:ListMetrics of linked accounts (OwningAccount, IncludeLinkedAccounts)",
        ));
    }
    if request.dimensions.iter().any(|dimension| dimension.name.is_empty()) {
        return Err(bad_value("The parameter Dimensions.member.1.Name must not be empty."));
    }
    let since = match request.recently_active.as_deref() {
        Some(_) => RECENT,
        None => LISTED,
    };
    let wanted = Wanted {
        account: cx.account().to_owned(),
        region: cx.region().to_owned(),
        namespace: request.namespace,
        name: request.metric_name,
        dimensions: request.dimensions.into_iter().map(|filter| (filter.name, filter.value)).collect(),
        seen_since: cx.now().millis() / 1000 - since,
    };
    let after = request.next_token.as_deref().map(|token| page::read(token).ok_or_else(bad_token)).transpose()?;
    let listed = cx.part::<Points>()?.list(wanted, after, PAGE).await.map_err(|e| points("list metrics", e))?;
    let shape = |metric: kiln_points::Metric| Metric {
        dimensions: names::shapes(&metric.dimensions),
        namespace: Some(metric.namespace),
        metric_name: Some(metric.name),
    };
    Ok(ListMetricsResponse {
        metrics: listed.metrics.into_iter().map(shape).collect(),
        next_token: listed.next.map(|key| page::token(&key)),
        owning_accounts: vec![],
    })
}
