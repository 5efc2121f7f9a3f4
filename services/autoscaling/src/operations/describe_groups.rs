//! Groups and their instances as callers see them.

use super::{named_or_all, page_size};
use crate::errors::{bad_token, validation};
use crate::records::{Group, GroupTag, Member, Template};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeAutoScalingGroups: describe_auto_scaling_groups(DescribeAutoScalingGroupsRequest),
        on everything),
    operation!(DescribeAutoScalingInstances: describe_auto_scaling_instances(DescribeAutoScalingInstancesRequest),
        on everything),
];

async fn describe_auto_scaling_groups(
    cx: &Cx,
    request: DescribeAutoScalingGroupsRequest,
) -> Result<DescribeAutoScalingGroupsResponse, Error> {
    let limit = page_size(request.max_records, 50, 100)?;
    let wanted = &request.auto_scaling_group_names;
    let mut groups: Vec<Arc<Group>> = vec![];
    for group in named_or_all::<Group>(cx, wanted)? {
        if matches(&group, &request.filters)? {
            groups.push(group);
        }
    }
    let page = paginate(groups, |group| &group.name, request.next_token.as_deref(), limit, bad_token)?;
    let mut members: BTreeMap<String, Vec<Arc<Member>>> = BTreeMap::new();
    if request.include_instances != Some(false) {
        for group in &page.items {
            let of_group = cx.store().by_key::<Member>(cx.scope(), "group", &group.name)?;
            members.insert(group.name.clone(), of_group.into_iter().map(|(_, member)| member).collect());
        }
    }
    let shown = page.items.iter().map(|group| show(cx, group, members.get(&group.name).map_or(&[], Vec::as_slice)));
    Ok(DescribeAutoScalingGroupsResponse { auto_scaling_groups: shown.collect(), next_token: page.next_token })
}

/// `tag-key`, `tag-value`, `tag:KEY`; all filters must match, each by one of its values.
fn matches(group: &Group, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let name = filter.name.as_deref().unwrap_or_default();
        let any = |test: &dyn Fn(&GroupTag, &String) -> bool| {
            group.tags.iter().any(|tag| filter.values.iter().any(|value| test(tag, value)))
        };
        let matched = match (name, name.strip_prefix("tag:")) {
            ("tag-key", _) => any(&|tag, value| tag.key == *value),
            ("tag-value", _) => any(&|tag, value| tag.value == *value),
            (_, Some(key)) => any(&|tag, value| tag.key == key && tag.value == *value),
            _ => {
                return Err(validation(format!(
                    "Filter type {name} is not correct. Allowed Filter types are: tag-key tag-value tag:<key>"
                )));
            }
        };
        if !matched {
            return Ok(false);
        }
    }
    Ok(true)
}

fn show(cx: &Cx, group: &Group, members: &[Arc<Member>]) -> AutoScalingGroup {
    let identifiers = group
        .target_groups
        .iter()
        .map(|t| TrafficSourceIdentifier { identifier: t.arn.clone(), r#type: Some("elbv2".to_owned()) });
    let suspended = group
        .suspended
        .iter()
        .map(|s| SuspendedProcess { process_name: Some(s.process.clone()), suspension_reason: Some(s.reason.clone()) });
    let metrics = group
        .enabled_metrics
        .iter()
        .map(|metric| EnabledMetric { metric: Some(metric.clone()), granularity: Some("1Minute".to_owned()) });
    let subnets: Vec<&str> = group.subnets.iter().map(|(id, _)| id.as_str()).collect();
    AutoScalingGroup {
        auto_scaling_group_name: Some(group.name.clone()),
        auto_scaling_group_arn: Some(group.arn(cx.region(), cx.account())),
        launch_configuration_name: group.launch_configuration.clone(),
        launch_template: group.launch_template.as_ref().map(specification),
        min_size: Some(group.min),
        max_size: Some(group.max),
        desired_capacity: Some(group.desired),
        default_cooldown: Some(group.cooldown),
        availability_zones: group.zones.clone(),
        target_group_arns: group.target_groups.iter().map(|t| t.arn.clone()).collect(),
        health_check_type: Some(group.health_check_type.clone()),
        health_check_grace_period: Some(group.grace_period),
        instances: members.iter().map(|member| instance(member)).collect(),
        created_time: Some(group.created),
        suspended_processes: suspended.collect(),
        vpc_zone_identifier: Some(subnets.join(",")),
        enabled_metrics: metrics.collect(),
        status: group.deleting.then(|| "Delete in progress".to_owned()),
        tags: group.tags.iter().map(|tag| tag_description(&group.name, tag)).collect(),
        termination_policies: group.termination_policies.clone(),
        new_instances_protected_from_scale_in: Some(group.new_instances_protected),
        service_linked_role_arn: Some(group.service_linked_role.clone().unwrap_or_else(|| {
            let account = cx.account();
            format!(
                "arn:{}:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
                cx.partition()
            )
        })),
        context: group.context.clone(),
        default_instance_warmup: group.default_instance_warmup,
        // The one way there is here: zones are kept alike as far as launches in them succeed.
        availability_zone_distribution: Some(AvailabilityZoneDistribution {
            capacity_distribution_strategy: Some("balanced-best-effort".to_owned()),
        }),
        traffic_sources: identifiers.collect(),
        capacity_rebalance: Some(group.capacity_rebalance),
        ..Default::default()
    }
}

/// A group's tag as callers see it.
pub fn tag_description(group: &str, tag: &GroupTag) -> TagDescription {
    TagDescription {
        resource_id: Some(group.to_owned()),
        resource_type: Some("auto-scaling-group".to_owned()),
        key: Some(tag.key.clone()),
        value: Some(tag.value.clone()),
        propagate_at_launch: Some(tag.propagate),
    }
}

fn specification(template: &Template) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification {
        launch_template_id: Some(template.id.clone()),
        launch_template_name: Some(template.name.clone()),
        version: (!template.unsaid).then(|| template.version.clone()),
    }
}

fn instance(member: &Member) -> Instance {
    Instance {
        instance_id: Some(member.id.clone()),
        instance_type: Some(member.instance_type.clone()),
        availability_zone: Some(member.zone.clone()),
        lifecycle_state: Some(member.lifecycle.name().to_owned()),
        health_status: Some(member.health.name().to_owned()),
        launch_configuration_name: member.configuration.clone(),
        launch_template: member.template.as_ref().map(specification),
        protected_from_scale_in: Some(member.protected),
        ..Default::default()
    }
}

async fn describe_auto_scaling_instances(
    cx: &Cx,
    request: DescribeAutoScalingInstancesRequest,
) -> Result<DescribeAutoScalingInstancesResponse, Error> {
    let limit = page_size(request.max_records, 50, 50)?;
    let wanted = &request.instance_ids;
    let members = named_or_all::<Member>(cx, wanted)?;
    let page = paginate(members, |m: &Arc<Member>| &m.id, request.next_token.as_deref(), limit, bad_token)?;
    let details = page.items.iter().map(|member| AutoScalingInstanceDetails {
        instance_id: Some(member.id.clone()),
        instance_type: Some(member.instance_type.clone()),
        auto_scaling_group_name: Some(member.group.clone()),
        availability_zone: Some(member.zone.clone()),
        lifecycle_state: Some(member.lifecycle.name().to_owned()),
        // This call writes it in capitals, DescribeAutoScalingGroups does not.
        health_status: Some(member.health.name().to_uppercase()),
        launch_configuration_name: member.configuration.clone(),
        launch_template: member.template.as_ref().map(specification),
        protected_from_scale_in: Some(member.protected),
        ..Default::default()
    });
    Ok(DescribeAutoScalingInstancesResponse { auto_scaling_instances: details.collect(), next_token: page.next_token })
}
