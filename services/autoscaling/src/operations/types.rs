//! Lists of names that never change, and an account's limits.

use super::groups::MAX_GROUPS;
use super::launch_configurations::MAX_CONFIGURATIONS;
use super::metrics::METRICS;
use crate::controllers::select::POLICIES;
use crate::records::{Group, LaunchConfiguration, Process, Transition};
use kiln_autoscaling_shapes::{
    AdjustmentType, DescribeAccountLimitsRequest, DescribeAccountLimitsResponse, DescribeAdjustmentTypesRequest,
    DescribeAdjustmentTypesResponse, DescribeAutoScalingNotificationTypesRequest,
    DescribeAutoScalingNotificationTypesResponse, DescribeLifecycleHookTypesRequest,
    DescribeLifecycleHookTypesResponse, DescribeMetricCollectionTypesRequest, DescribeMetricCollectionTypesResponse,
    DescribeScalingProcessTypesRequest, DescribeScalingProcessTypesResponse, DescribeTerminationPolicyTypesRequest,
    DescribeTerminationPolicyTypesResponse, MetricCollectionType, MetricGranularityType, ProcessType,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeAccountLimits: describe_account_limits(DescribeAccountLimitsRequest), on everything),
    operation!(DescribeAdjustmentTypes: describe_adjustment_types(DescribeAdjustmentTypesRequest), on everything),
    operation!(DescribeAutoScalingNotificationTypes: describe_auto_scaling_notification_types(DescribeAutoScalingNotificationTypesRequest),
        on everything),
    operation!(DescribeLifecycleHookTypes: describe_lifecycle_hook_types(DescribeLifecycleHookTypesRequest),
        on everything),
    operation!(DescribeMetricCollectionTypes: describe_metric_collection_types(DescribeMetricCollectionTypesRequest),
        on everything),
    operation!(DescribeScalingProcessTypes: describe_scaling_process_types(DescribeScalingProcessTypesRequest),
        on everything),
    operation!(DescribeTerminationPolicyTypes: describe_termination_policy_types(DescribeTerminationPolicyTypesRequest),
        on everything),
];

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn describe_account_limits(
    cx: &Cx,
    _: DescribeAccountLimitsRequest,
) -> Result<DescribeAccountLimitsResponse, Error> {
    let count = |n: usize| Some(i32::try_from(n).unwrap_or(i32::MAX));
    Ok(DescribeAccountLimitsResponse {
        max_number_of_auto_scaling_groups: count(MAX_GROUPS),
        max_number_of_launch_configurations: count(MAX_CONFIGURATIONS),
        number_of_auto_scaling_groups: count(cx.store().list::<Group>(cx.scope())?.len()),
        number_of_launch_configurations: count(cx.store().list::<LaunchConfiguration>(cx.scope())?.len()),
    })
}

async fn describe_adjustment_types(
    _: &Cx,
    _: DescribeAdjustmentTypesRequest,
) -> Result<DescribeAdjustmentTypesResponse, Error> {
    let names = ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"];
    let types = names.map(|name| AdjustmentType { adjustment_type: Some(name.to_owned()) });
    Ok(DescribeAdjustmentTypesResponse { adjustment_types: types.to_vec() })
}

async fn describe_auto_scaling_notification_types(
    _: &Cx,
    _: DescribeAutoScalingNotificationTypesRequest,
) -> Result<DescribeAutoScalingNotificationTypesResponse, Error> {
    let types = texts(&[
        "autoscaling:EC2_INSTANCE_LAUNCH",
        "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
        "autoscaling:EC2_INSTANCE_TERMINATE",
        "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
        "autoscaling:TEST_NOTIFICATION",
    ]);
    Ok(DescribeAutoScalingNotificationTypesResponse { auto_scaling_notification_types: types })
}

async fn describe_lifecycle_hook_types(
    _: &Cx,
    _: DescribeLifecycleHookTypesRequest,
) -> Result<DescribeLifecycleHookTypesResponse, Error> {
    let types = Transition::ALL.map(|t| t.name().to_owned()).to_vec();
    Ok(DescribeLifecycleHookTypesResponse { lifecycle_hook_types: types })
}

async fn describe_metric_collection_types(
    _: &Cx,
    _: DescribeMetricCollectionTypesRequest,
) -> Result<DescribeMetricCollectionTypesResponse, Error> {
    Ok(DescribeMetricCollectionTypesResponse {
        metrics: METRICS.map(|m| MetricCollectionType { metric: Some(m.to_owned()) }).to_vec(),
        granularities: vec![MetricGranularityType { granularity: Some("1Minute".to_owned()) }],
    })
}

async fn describe_scaling_process_types(
    _: &Cx,
    _: DescribeScalingProcessTypesRequest,
) -> Result<DescribeScalingProcessTypesResponse, Error> {
    let processes = Process::ALL.map(|p| ProcessType { process_name: Some(p.name().to_owned()) });
    Ok(DescribeScalingProcessTypesResponse { processes: processes.to_vec() })
}

async fn describe_termination_policy_types(
    _: &Cx,
    _: DescribeTerminationPolicyTypesRequest,
) -> Result<DescribeTerminationPolicyTypesResponse, Error> {
    Ok(DescribeTerminationPolicyTypesResponse { termination_policy_types: texts(&POLICIES) })
}
