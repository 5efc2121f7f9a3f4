//! What is the same for every account: its limits.

use super::{listeners, load_balancers, page, rules, target_groups, targets};
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(DescribeAccountLimits: describe_account_limits(DescribeAccountLimitsRequest), on everything)];

/// The limits Kiln holds to. AWS lists more, about kinds of load balancer that Kiln has not.
async fn describe_account_limits(
    _: &Cx,
    request: DescribeAccountLimitsRequest,
) -> Result<DescribeAccountLimitsResponse, Error> {
    let mut limits = vec![
        ("application-load-balancers", load_balancers::MOST),
        ("listeners-per-application-load-balancer", listeners::MOST),
        ("rules-per-application-load-balancer", rules::MOST),
        ("target-groups", target_groups::MOST),
        ("targets-per-application-load-balancer", targets::MOST),
        ("target-groups-per-action-on-application-load-balancer", 5),
        ("condition-values-per-alb-rule", 5),
    ];
    limits.sort();
    let page = page(limits, |(name, _)| name, request.marker.as_deref(), request.page_size)?;
    let limit = |(name, max): (&str, usize)| Limit { name: Some(name.to_owned()), max: Some(max.to_string()) };
    Ok(DescribeAccountLimitsResponse {
        limits: page.items.into_iter().map(limit).collect(),
        next_marker: page.next_token,
    })
}
