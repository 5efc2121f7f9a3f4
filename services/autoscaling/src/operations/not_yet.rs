//! Things that Kiln cannot make yet. That there are none of them is true, and tools ask.

use crate::errors::group_not_found;
use crate::records::Group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeInstanceRefreshes: describe_instance_refreshes(DescribeInstanceRefreshesRequest), on everything),
    operation!(DescribePolicies: describe_policies(DescribePoliciesRequest), on everything),
    operation!(DescribeScheduledActions: describe_scheduled_actions(DescribeScheduledActionsRequest), on everything),
    operation!(DescribeWarmPool: describe_warm_pool(DescribeWarmPoolRequest), on everything),
];

fn check_group(cx: &Cx, name: Option<&String>) -> Result<(), Error> {
    match name {
        Some(name) if cx.store().get::<Group>(cx.scope(), name)?.is_none() => Err(group_not_found(name)),
        _ => Ok(()),
    }
}

async fn describe_instance_refreshes(
    cx: &Cx,
    request: DescribeInstanceRefreshesRequest,
) -> Result<DescribeInstanceRefreshesResponse, Error> {
    check_group(cx, Some(&request.auto_scaling_group_name))?;
    Ok(DescribeInstanceRefreshesResponse::default())
}

async fn describe_policies(cx: &Cx, request: DescribePoliciesRequest) -> Result<DescribePoliciesResponse, Error> {
    check_group(cx, request.auto_scaling_group_name.as_ref())?;
    Ok(DescribePoliciesResponse::default())
}

async fn describe_scheduled_actions(
    cx: &Cx,
    request: DescribeScheduledActionsRequest,
) -> Result<DescribeScheduledActionsResponse, Error> {
    check_group(cx, request.auto_scaling_group_name.as_ref())?;
    Ok(DescribeScheduledActionsResponse::default())
}

async fn describe_warm_pool(cx: &Cx, request: DescribeWarmPoolRequest) -> Result<DescribeWarmPoolResponse, Error> {
    check_group(cx, Some(&request.auto_scaling_group_name))?;
    Ok(DescribeWarmPoolResponse::default())
}
