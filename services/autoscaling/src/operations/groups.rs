//! Making, changing and deleting groups.

use super::hooks;
use super::placement::{check_target_groups, placement, target_groups};
use super::tags;
use crate::controllers::cause;
use crate::controllers::select::POLICIES;
use crate::errors::{self, refuse, validation};
use crate::records::{Activity, Group, LaunchConfiguration, TargetGroup, TargetGroupState};
use crate::targets::{created, group};
use crate::{changes, notify, roles, templates};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::collections::BTreeMap;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateAutoScalingGroup: create_auto_scaling_group(CreateAutoScalingGroupRequest),
        on |cx, r| created(cx, &r.auto_scaling_group_name, &r.tags)),
    operation!(UpdateAutoScalingGroup: update_auto_scaling_group(UpdateAutoScalingGroupRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(DeleteAutoScalingGroup: delete_auto_scaling_group(DeleteAutoScalingGroupRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

/// Groups an account may have in a region. Source: "Quotas for Amazon EC2 Auto Scaling".
pub const MAX_GROUPS: usize = 500;

async fn create_auto_scaling_group(
    cx: &Cx,
    request: CreateAutoScalingGroupRequest,
) -> Result<CreateAutoScalingGroupResponse, Error> {
    refuse(
        "CreateAutoScalingGroup",
        &[
            ("MixedInstancesPolicy", request.mixed_instances_policy.is_some()),
            ("InstanceId", request.instance_id.is_some()),
            ("AvailabilityZoneIds", !request.availability_zone_ids.is_empty()),
            ("LoadBalancerNames (Classic Load Balancers)", !request.load_balancer_names.is_empty()),
            ("PlacementGroup", request.placement_group.is_some()),
            ("CapacityRebalance", request.capacity_rebalance == Some(true)),
            ("MaxInstanceLifetime", request.max_instance_lifetime.is_some_and(|n| n != 0)),
            ("DesiredCapacityType other than units", is_other(&request.desired_capacity_type, "units")),
            ("InstanceMaintenancePolicy", request.instance_maintenance_policy.as_ref().is_some_and(is_maintenance)),
            ("AvailabilityZoneDistribution balanced-only", is_balanced_only(&request.availability_zone_distribution)),
            ("AvailabilityZoneImpairmentPolicy", is_zonal_shift(&request.availability_zone_impairment_policy)),
            ("CapacityReservationSpecification", request.capacity_reservation_specification.is_some()),
            ("InstanceLifecyclePolicy", request.instance_lifecycle_policy.is_some()),
            ("DeletionProtection", is_other(&request.deletion_protection, "none")),
            // Only instance refreshes and scaling policies wait for it.
            ("DefaultInstanceWarmup", request.default_instance_warmup.is_some_and(|seconds| seconds > 0)),
            // "Reserved", and nothing more, in the API Reference.
            ("Context", request.context.is_some()),
        ],
    )?;
    let name = request.auto_scaling_group_name.clone();
    if name.contains(':') {
        return Err(validation(format!("Group name {name} must not contain the character ':'")));
    }
    let desired = request.desired_capacity.unwrap_or(request.min_size);
    let health_check_type = health_check_type(request.health_check_type.as_deref())?;
    let policies = termination_policies(&request.termination_policies)?;
    let launch_template = match (&request.launch_template, &request.launch_configuration_name) {
        (Some(template), None) => Some(templates::check(cx, template).await?),
        (None, Some(_)) => None,
        _ => {
            return Err(validation(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
            ));
        }
    };
    if let Some(arn) = &request.service_linked_role_arn {
        roles::pass_service_linked(cx, arn).await?;
    }
    let placement = placement(cx, request.vpc_zone_identifier.as_deref(), &request.availability_zones).await?;
    let target_groups = target_groups(&request.target_group_arns, &request.traffic_sources)?;
    check_target_groups(cx, &target_groups).await?;
    let hooks = hooks::given(cx, request.lifecycle_hook_specification_list).await?;
    let tags = tags::for_group(cx, &name, request.tags)?;
    let group = Group {
        name: name.clone(),
        uuid: cx.ids().uuid(),
        created: cx.now(),
        launch_template,
        launch_configuration: request.launch_configuration_name,
        min: request.min_size,
        max: request.max_size,
        desired,
        cooldown: request.default_cooldown.unwrap_or(300),
        zones: placement.zones,
        subnets: placement.subnets,
        target_groups: attached(target_groups),
        health_check_type,
        grace_period: request.health_check_grace_period.unwrap_or(0),
        termination_policies: policies,
        new_instances_protected: request.new_instances_protected_from_scale_in.unwrap_or(false),
        suspended: vec![],
        tags,
        hooks,
        default_instance_warmup: request.default_instance_warmup.filter(|n| *n >= 0),
        context: None,
        capacity_rebalance: false,
        notifications: vec![],
        enabled_metrics: vec![],
        service_linked_role: request.service_linked_role_arn,
        reason: (desired > 0).then(|| cause::created(desired, cx.now())),
        last_scaling: None,
        launches: vec![],
        to_replace: 0,
        launch_count: 0,
        launch_failures: 0,
        launch_not_before: None,
        launch_failed: None,
        troubles: BTreeMap::new(),
        deleting: false,
    };
    check_sizes(&group)?;
    cx.store()
        .write(|tx| {
            if tx.get::<Group>(cx.scope(), &name)?.is_some() {
                return Err(errors::group_exists(&name));
            }
            if tx.count::<Group>(cx.scope()) >= MAX_GROUPS {
                return Err(Error::sender(
                    "LimitExceeded",
                    format!("You have already reached your quota of {MAX_GROUPS} Auto Scaling groups for this Region."),
                ));
            }
            if let Some(configuration) = &group.launch_configuration
                && tx.get::<LaunchConfiguration>(cx.scope(), configuration)?.is_none()
            {
                return Err(errors::configuration_not_found(configuration));
            }
            for target in group.hooks.iter().filter_map(|hook| hook.notification_target.as_ref()) {
                notify::test(tx, cx, &group, hooks::target_address(target)?)?;
            }
            tx.put(cx.scope(), &name, group)?;
            Ok(())
        })
        .await?;
    Ok(CreateAutoScalingGroupResponse {})
}

async fn update_auto_scaling_group(
    cx: &Cx,
    request: UpdateAutoScalingGroupRequest,
) -> Result<UpdateAutoScalingGroupResponse, Error> {
    refuse(
        "UpdateAutoScalingGroup",
        &[
            ("MixedInstancesPolicy", request.mixed_instances_policy.is_some()),
            ("AvailabilityZoneIds", !request.availability_zone_ids.is_empty()),
            ("PlacementGroup", request.placement_group.as_ref().is_some_and(|name| !name.is_empty())),
            ("CapacityRebalance", request.capacity_rebalance == Some(true)),
            ("MaxInstanceLifetime", request.max_instance_lifetime.is_some_and(|n| n != 0)),
            ("DesiredCapacityType other than units", is_other(&request.desired_capacity_type, "units")),
            ("InstanceMaintenancePolicy", request.instance_maintenance_policy.as_ref().is_some_and(is_maintenance)),
            ("AvailabilityZoneDistribution balanced-only", is_balanced_only(&request.availability_zone_distribution)),
            ("AvailabilityZoneImpairmentPolicy", is_zonal_shift(&request.availability_zone_impairment_policy)),
            ("CapacityReservationSpecification", request.capacity_reservation_specification.is_some()),
            ("InstanceLifecyclePolicy", request.instance_lifecycle_policy.is_some()),
            ("DeletionProtection", is_other(&request.deletion_protection, "none")),
            // Only instance refreshes and scaling policies wait for it.
            ("DefaultInstanceWarmup", request.default_instance_warmup.is_some_and(|seconds| seconds > 0)),
            // "Reserved", and nothing more, in the API Reference.
            ("Context", request.context.is_some()),
        ],
    )?;
    let name = request.auto_scaling_group_name.clone();
    let known = cx.store().get::<Group>(cx.scope(), &name)?.ok_or_else(errors::group_to_update_not_found)?;
    if request.launch_template.is_some() && request.launch_configuration_name.is_some() {
        return Err(validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
        ));
    }
    let launch_template = match &request.launch_template {
        Some(template) => Some(templates::check(cx, template).await?),
        None => None,
    };
    if let Some(arn) = &request.service_linked_role_arn {
        roles::pass_service_linked(cx, arn).await?;
    }
    let health = request.health_check_type.as_deref().map(|given| health_check_type(Some(given))).transpose()?;
    let policies = match request.termination_policies.is_empty() {
        true => None,
        false => Some(termination_policies(&request.termination_policies)?),
    };
    let placement = match (&request.vpc_zone_identifier, request.availability_zones.as_slice()) {
        (None, []) => None,
        (Some(subnets), zones) => Some(placement(cx, Some(subnets), zones).await?),
        (None, _) if !known.subnets.is_empty() => {
            return Err(validation(
                "The availability zones of the specified subnets and the Auto Scaling group do not match",
            ));
        }
        (None, zones) => Some(placement(cx, None, zones).await?),
    };
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), &name)?;
            if let Some(configuration) = &request.launch_configuration_name {
                if tx.get::<LaunchConfiguration>(cx.scope(), configuration)?.is_none() {
                    return Err(errors::configuration_not_found(configuration));
                }
                group.launch_configuration = Some(configuration.clone());
                group.launch_template = None;
            }
            if let Some(template) = launch_template {
                group.launch_template = Some(template);
                group.launch_configuration = None;
            }
            if let Some(placement) = placement {
                group.zones = placement.zones;
                group.subnets = placement.subnets;
                group.troubles.clear();
            }
            let before = group.desired;
            group.min = request.min_size.unwrap_or(group.min);
            group.max = request.max_size.unwrap_or(group.max);
            group.desired = match request.desired_capacity {
                Some(desired) => desired,
                // New limits move the desired capacity with them.
                None if group.min <= group.max => group.desired.clamp(group.min, group.max),
                None => group.desired,
            };
            group.cooldown = request.default_cooldown.unwrap_or(group.cooldown);
            group.grace_period = request.health_check_grace_period.unwrap_or(group.grace_period);
            group.health_check_type = health.unwrap_or(group.health_check_type);
            group.termination_policies = policies.unwrap_or(group.termination_policies);
            group.new_instances_protected =
                request.new_instances_protected_from_scale_in.unwrap_or(group.new_instances_protected);
            group.service_linked_role = request.service_linked_role_arn.or(group.service_linked_role);
            if let Some(warmup) = request.default_instance_warmup {
                group.default_instance_warmup = (warmup >= 0).then_some(warmup);
            }
            check_sizes(&group)?;
            if group.desired != before {
                let sentence = cause::updated(&group, before, tx.now());
                group.because(sentence);
            }
            // Whatever made launches fail may be mended by this.
            group.launch_not_before = None;
            tx.put_if_changed(cx.scope(), &name, group)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(UpdateAutoScalingGroupResponse {})
}

async fn delete_auto_scaling_group(
    cx: &Cx,
    request: DeleteAutoScalingGroupRequest,
) -> Result<DeleteAutoScalingGroupResponse, Error> {
    let name = &request.auto_scaling_group_name;
    let force = request.force_delete.unwrap_or(false);
    cx.store()
        .write(|tx| {
            let group = changes::group(tx, cx.scope(), name)?;
            let members = changes::members(tx, cx.scope(), name)?;
            if members.is_empty() && group.launches.is_empty() {
                tx.delete::<Group>(cx.scope(), name);
                return Ok(());
            }
            if force {
                let group = Group { deleting: true, min: 0, desired: 0, ..group.as_ref().clone() };
                tx.put_if_changed(cx.scope(), name, group)?;
                return Ok(());
            }
            let active = members.iter().filter_map(|m| m.activity.as_deref());
            let under_way = active.filter_map(|id| tx.get::<Activity>(cx.scope(), id).transpose());
            let under_way = under_way.collect::<Result<Vec<_>, _>>()?.iter().any(|a| a.end.is_none());
            if (under_way || !group.launches.is_empty()) && members.iter().all(|m| m.is_terminating()) {
                return Err(Error::sender(
                    "ScalingActivityInProgress",
                    "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
                ));
            }
            Err(Error::sender(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
            ))
        })
        .await?;
    Ok(DeleteAutoScalingGroupResponse {})
}

/// Target groups as a new group holds them.
fn attached(arns: Vec<String>) -> Vec<TargetGroup> {
    arns.into_iter().map(|arn| TargetGroup { arn, state: TargetGroupState::Adding }).collect()
}

fn check_sizes(group: &Group) -> Result<(), Error> {
    let Group { min, max, desired, .. } = *group;
    for (what, n) in [("minSize", min), ("maxSize", max), ("desiredCapacity", desired)] {
        if n < 0 {
            return Err(validation(format!("The specified {what} {n} must not be negative")));
        }
    }
    for (what, n) in [("defaultCooldown", group.cooldown), ("healthCheckGracePeriod", group.grace_period)] {
        if n < 0 {
            return Err(validation(format!("The specified {what} {n} must not be negative")));
        }
    }
    if max < min {
        return Err(validation(format!("Max bound, {max}, must be greater than or equal to min bound, {min}")));
    }
    if !(min..=max).contains(&desired) {
        return Err(validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(())
}

/// `EC2` and `ELB`, alone or together.
fn health_check_type(given: Option<&str>) -> Result<String, Error> {
    let given = given.unwrap_or("EC2");
    for one in given.split(',').map(str::trim) {
        match one {
            "EC2" | "ELB" => {}
            "EBS" | "VPC_LATTICE" => {
                return Err(Error::not_built(format!("autoscaling health checks of type {one}")));
            }
            _ => {
                return Err(validation(format!(
                    "Invalid Health Check Type: {given}. Valid types are [EBS, EC2, ELB, VPC_LATTICE]"
                )));
            }
        }
    }
    Ok(given.to_owned())
}

fn termination_policies(given: &[String]) -> Result<Vec<String>, Error> {
    for policy in given {
        if policy.starts_with("arn:") && policy.contains(":lambda:") {
            return Err(Error::not_built("autoscaling termination policies by a Lambda function"));
        }
        if !POLICIES.contains(&policy.as_str()) {
            return Err(validation(format!("Invalid termination policy: {policy}")));
        }
    }
    Ok(if given.is_empty() { vec!["Default".to_owned()] } else { given.to_vec() })
}

fn is_other(given: &Option<String>, usual: &str) -> bool {
    given.as_deref().is_some_and(|given| given != usual)
}

/// -1 takes a policy away, which is what Kiln does anyway.
fn is_maintenance(policy: &InstanceMaintenancePolicy) -> bool {
    [policy.min_healthy_percentage, policy.max_healthy_percentage].into_iter().flatten().any(|n| n >= 0)
}

fn is_balanced_only(distribution: &Option<AvailabilityZoneDistribution>) -> bool {
    distribution.as_ref().is_some_and(|d| is_other(&d.capacity_distribution_strategy, "balanced-best-effort"))
}

fn is_zonal_shift(policy: &Option<AvailabilityZoneImpairmentPolicy>) -> bool {
    policy.as_ref().is_some_and(|p| p.zonal_shift_enabled == Some(true))
}
