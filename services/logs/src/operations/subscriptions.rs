//! Subscription filters. What AWS delivers to (Lambda, Kinesis, Firehose, destinations) is not here yet, so none can be
//! made. Source: CloudWatch Logs API Reference, PutSubscriptionFilter.

use crate::errors::{invalid, not_there};
use crate::names::group;
use crate::operations::metric_filters::parse;
use crate::targets;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteSubscriptionFilter: delete_subscription_filter(DeleteSubscriptionFilterRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(DescribeSubscriptionFilters: describe_subscription_filters(DescribeSubscriptionFiltersRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(PutSubscriptionFilter: put_subscription_filter(PutSubscriptionFilterRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
];

async fn put_subscription_filter(
    cx: &Cx,
    request: PutSubscriptionFilterRequest,
) -> Result<PutSubscriptionFilterResponse, Error> {
    group(cx, &request.log_group_name)?;
    parse(&request.filter_pattern)?;
    let vendor = request.destination_arn.split(':').nth(2).unwrap_or("");
    Err(match vendor {
        "lambda" | "kinesis" | "firehose" => {
            Error::not_built(format!("logs: subscription filter {} that delivers to {vendor}", request.filter_name))
        }
        "logs" => Error::not_built(format!(
            "logs: subscription filter {} that delivers to a destination",
            request.filter_name
        )),
        vendor => {
            invalid(format!("PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}"))
        }
    })
}

async fn delete_subscription_filter(
    cx: &Cx,
    request: DeleteSubscriptionFilterRequest,
) -> Result<DeleteSubscriptionFilterResponse, Error> {
    group(cx, &request.log_group_name)?;
    Err(not_there("subscription filter"))
}

async fn describe_subscription_filters(
    cx: &Cx,
    request: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, Error> {
    group(cx, &request.log_group_name)?;
    Ok(DescribeSubscriptionFiltersResponse::default())
}
