//! `AWS::AutoScaling::AutoScalingGroup`. Ref: its name; GetAtt: AutoScalingGroupARN,
//! AutoScalingGroupName. Settled when as many instances as desired are in service.

use super::{flag, items, number, refuse, text};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub struct GroupType;

/// So many launches may fail in a row before the group is given up.
const FAILURES_IN_A_ROW: usize = 3;

/// Properties that change what the group does and that Kiln does not serve.
const NOT_SERVED: &[&str] = &[
    "AvailabilityZoneIds",
    "CapacityReservationSpecification",
    "InstanceId",
    "InstanceLifecyclePolicy",
    "LoadBalancerNames",
    "MetricsCollection",
    "MixedInstancesPolicy",
    "NotificationConfiguration",
    "NotificationConfigurations",
    "PlacementGroup",
    "SkipZonalShiftValidation",
];

fn template(request: &ResourceRequest) -> Option<LaunchTemplateSpecification> {
    let given = request.properties.get("LaunchTemplate")?;
    Some(LaunchTemplateSpecification {
        launch_template_id: text(given, "LaunchTemplateId"),
        launch_template_name: text(given, "LaunchTemplateName"),
        version: text(given, "Version"),
    })
}

fn subnets(request: &ResourceRequest) -> Option<String> {
    let subnets = request.texts("VPCZoneIdentifier");
    (!subnets.is_empty()).then(|| subnets.join(","))
}

fn small(request: &ResourceRequest, name: &str) -> Option<i32> {
    number(&request.properties, name)
}

fn required(request: &ResourceRequest, name: &str) -> Result<i32, Error> {
    small(request, name).ok_or_else(|| Error::sender("ValidationError", format!("{name} must be a whole number")))
}

/// Stack tags go to the instances too, as in AWS; the resource's own override them.
fn tags(stack: &[(String, String)], properties: &Json, group: &str) -> Vec<Tag> {
    let tag = |key: String, value: String, propagate: bool| Tag {
        resource_id: Some(group.to_owned()),
        resource_type: Some("auto-scaling-group".to_owned()),
        key,
        value: Some(value),
        propagate_at_launch: Some(propagate),
    };
    let mut all: Vec<Tag> = stack.iter().map(|(k, v)| tag(k.clone(), v.clone(), true)).collect();
    for own in items(properties, "Tags") {
        if let (Some(key), Some(value)) = (text(own, "Key"), text(own, "Value")) {
            all.retain(|tag| tag.key != key);
            all.push(tag(key, value, flag(own, "PropagateAtLaunch").unwrap_or(false)));
        }
    }
    all
}

fn hooks(properties: &Json) -> Vec<LifecycleHookSpecification> {
    items(properties, "LifecycleHookSpecificationList")
        .map(|hook| LifecycleHookSpecification {
            lifecycle_hook_name: text(hook, "LifecycleHookName").unwrap_or_default(),
            lifecycle_transition: text(hook, "LifecycleTransition").unwrap_or_default(),
            notification_metadata: text(hook, "NotificationMetadata"),
            heartbeat_timeout: number(hook, "HeartbeatTimeout"),
            default_result: text(hook, "DefaultResult"),
            notification_target_arn: text(hook, "NotificationTargetARN"),
            role_arn: text(hook, "RoleARN"),
        })
        .collect()
}

fn traffic_sources(properties: &Json) -> Vec<TrafficSourceIdentifier> {
    items(properties, "TrafficSources")
        .map(|source| TrafficSourceIdentifier {
            identifier: text(source, "Identifier").unwrap_or_default(),
            r#type: text(source, "Type"),
        })
        .collect()
}

fn maintenance(request: &ResourceRequest) -> Option<InstanceMaintenancePolicy> {
    let policy = request.properties.get("InstanceMaintenancePolicy")?;
    Some(InstanceMaintenancePolicy {
        min_healthy_percentage: number(policy, "MinHealthyPercentage"),
        max_healthy_percentage: number(policy, "MaxHealthyPercentage"),
    })
}

fn distribution(request: &ResourceRequest) -> Option<AvailabilityZoneDistribution> {
    let given = request.properties.get("AvailabilityZoneDistribution")?;
    Some(AvailabilityZoneDistribution { capacity_distribution_strategy: text(given, "CapacityDistributionStrategy") })
}

fn impairment(request: &ResourceRequest) -> Option<AvailabilityZoneImpairmentPolicy> {
    let given = request.properties.get("AvailabilityZoneImpairmentPolicy")?;
    Some(AvailabilityZoneImpairmentPolicy {
        zonal_shift_enabled: flag(given, "ZonalShiftEnabled"),
        impaired_zone_health_check_behavior: text(given, "ImpairedZoneHealthCheckBehavior"),
    })
}

async fn find(cx: &Cx, name: &str) -> Result<Option<AutoScalingGroup>, Error> {
    let request =
        DescribeAutoScalingGroupsRequest { auto_scaling_group_names: vec![name.to_owned()], ..Default::default() };
    Ok(cx.call(request).await?.auto_scaling_groups.into_iter().next())
}

/// Whether the group was made for this resource of this stack.
fn is_ours(group: &AutoScalingGroup, request: &ResourceRequest) -> bool {
    let has = |key: &str, value: &str| {
        group.tags.iter().any(|t| t.key.as_deref() == Some(key) && t.value.as_deref() == Some(value))
    };
    has("aws:cloudformation:stack-id", &request.stack_id) && has("aws:cloudformation:logical-id", &request.logical_id)
}

#[async_trait]
impl ResourceType for GroupType {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::AutoScalingGroup"
    }

    fn serves(&self, property: &str) -> bool {
        !NOT_SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("CapacityReservationSpecification/CapacityReservationPreference", r#""default""#),
            ("SkipZonalShiftValidation", "false"),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        refuse(request, self.type_name(), NOT_SERVED)?;
        let name = request.text("AutoScalingGroupName").unwrap_or_else(|| request.physical_name.clone());
        let made = cx
            .call(CreateAutoScalingGroupRequest {
                auto_scaling_group_name: name.clone(),
                launch_configuration_name: request.text("LaunchConfigurationName"),
                launch_template: template(request),
                min_size: required(request, "MinSize")?,
                max_size: required(request, "MaxSize")?,
                desired_capacity: small(request, "DesiredCapacity"),
                default_cooldown: small(request, "Cooldown"),
                availability_zones: request.texts("AvailabilityZones"),
                target_group_arns: request.texts("TargetGroupARNs"),
                traffic_sources: traffic_sources(&request.properties),
                health_check_type: request.text("HealthCheckType"),
                health_check_grace_period: small(request, "HealthCheckGracePeriod"),
                vpc_zone_identifier: subnets(request),
                termination_policies: request.texts("TerminationPolicies"),
                new_instances_protected_from_scale_in: request.boolean("NewInstancesProtectedFromScaleIn"),
                capacity_rebalance: request.boolean("CapacityRebalance"),
                lifecycle_hook_specification_list: hooks(&request.properties),
                tags: tags(&request.tags, &request.properties, &name),
                service_linked_role_arn: request.text("ServiceLinkedRoleARN"),
                max_instance_lifetime: small(request, "MaxInstanceLifetime"),
                context: request.text("Context"),
                desired_capacity_type: request.text("DesiredCapacityType"),
                default_instance_warmup: small(request, "DefaultInstanceWarmup"),
                instance_maintenance_policy: maintenance(request),
                availability_zone_distribution: distribution(request),
                availability_zone_impairment_policy: impairment(request),
                deletion_protection: request.text("DeletionProtection"),
                ..Default::default()
            })
            .await;
        match made {
            Ok(_) => Ok(name),
            Err(error) if error.is("AlreadyExists") => match find(cx, &name).await? {
                Some(group) if is_ours(&group, request) => Ok(name),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn stability(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let Some(group) = find(cx, name).await? else {
            return Ok(Stability::Failed(format!("AutoScalingGroup {name} is gone")));
        };
        let in_service = group.instances.iter().filter(|i| i.lifecycle_state.as_deref() == Some("InService")).count();
        let leaving = |i: &&Instance| i.lifecycle_state.as_deref().is_some_and(|s| s.starts_with("Terminating"));
        let desired = usize::try_from(group.desired_capacity.unwrap_or(0)).unwrap_or(0);
        let leaving = group.instances.iter().filter(leaving).count();
        if in_service == desired {
            return Ok(Stability::Ready);
        }
        let pending = || format!("{in_service} of {desired} instances are in service, {leaving} are leaving");
        if in_service > desired {
            return Ok(Stability::Pending(pending()));
        }
        let describe = DescribeScalingActivitiesRequest {
            auto_scaling_group_name: Some(name.to_owned()),
            max_records: Some(50),
            ..Default::default()
        };
        let activities = cx.call(describe).await?.activities;
        let launches = activities
            .iter()
            .take_while(|a| a.start_time.is_some_and(|start| start >= request.since))
            .filter(|a| a.description.as_deref().is_some_and(|d| d.starts_with("Launching")) && a.end_time.is_some());
        let failed = launches.take_while(|a| a.status_code.as_deref() != Some("Successful"));
        let reasons: Vec<&str> = failed.filter_map(|a| a.status_message.as_deref()).collect();
        if reasons.len() >= FAILURES_IN_A_ROW {
            return Ok(Stability::Failed(format!("Group did not stabilize. {}", reasons[0])));
        }
        Ok(Stability::Pending(pending()))
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        refuse(request, self.type_name(), NOT_SERVED)?;
        let group = || name.to_owned();
        let usual = |name: &str, value: i32| small(request, name).unwrap_or(value);
        let policies = match request.texts("TerminationPolicies") {
            policies if policies.is_empty() => vec!["Default".to_owned()],
            policies => policies,
        };
        set_hooks(cx, name, request).await?;
        cx.call(UpdateAutoScalingGroupRequest {
            auto_scaling_group_name: group(),
            launch_configuration_name: request.text("LaunchConfigurationName"),
            launch_template: template(request),
            // Left out where an update policy says that they stay as they are.
            min_size: small(request, "MinSize"),
            max_size: small(request, "MaxSize"),
            desired_capacity: small(request, "DesiredCapacity"),
            default_cooldown: Some(usual("Cooldown", 300)),
            availability_zones: request.texts("AvailabilityZones"),
            health_check_type: Some(request.text("HealthCheckType").unwrap_or_else(|| "EC2".to_owned())),
            health_check_grace_period: Some(usual("HealthCheckGracePeriod", 0)),
            vpc_zone_identifier: subnets(request),
            termination_policies: policies,
            new_instances_protected_from_scale_in: Some(
                request.boolean("NewInstancesProtectedFromScaleIn").unwrap_or(false),
            ),
            service_linked_role_arn: request.text("ServiceLinkedRoleARN"),
            max_instance_lifetime: small(request, "MaxInstanceLifetime"),
            capacity_rebalance: request.boolean("CapacityRebalance"),
            context: request.text("Context"),
            desired_capacity_type: request.text("DesiredCapacityType"),
            default_instance_warmup: Some(usual("DefaultInstanceWarmup", -1)),
            instance_maintenance_policy: maintenance(request),
            availability_zone_distribution: distribution(request),
            availability_zone_impairment_policy: impairment(request),
            deletion_protection: request.text("DeletionProtection"),
            ..Default::default()
        })
        .await?;
        set_target_groups(cx, name, request).await?;
        let wanted = tags(&request.tags, &request.properties, name);
        let gone: Vec<Tag> = tags(&request.previous_tags, &request.previous, name)
            .into_iter()
            .filter(|old| !wanted.iter().any(|tag| tag.key == old.key))
            .map(|old| Tag { value: None, propagate_at_launch: None, ..old })
            .collect();
        if !gone.is_empty() {
            cx.call(DeleteTagsRequest { tags: gone }).await?;
        }
        if !wanted.is_empty() {
            cx.call(CreateOrUpdateTagsRequest { tags: wanted }).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let Some(group) = find(cx, name).await? else { return Ok(Stability::Ready) };
        if group.status.is_some() {
            return Ok(Stability::Pending(format!("{} instances are leaving", group.instances.len())));
        }
        if group.desired_capacity != Some(0) || group.min_size != Some(0) || group.max_size != Some(0) {
            cx.call(UpdateAutoScalingGroupRequest {
                auto_scaling_group_name: name.to_owned(),
                min_size: Some(0),
                max_size: Some(0),
                desired_capacity: Some(0),
                ..Default::default()
            })
            .await?;
        }
        match cx
            .call(DeleteAutoScalingGroupRequest { auto_scaling_group_name: name.to_owned(), force_delete: None })
            .await
        {
            Ok(_) => Ok(Stability::Ready),
            Err(error) if error.is("ResourceInUse") || error.is("ScalingActivityInProgress") => {
                Ok(Stability::Pending(error.message))
            }
            Err(error) if error.message.contains("not found") => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let group = find(cx, name).await?.ok_or_else(|| crate::errors::group_not_found(name))?;
        Ok(BTreeMap::from([
            ("AutoScalingGroupARN".to_owned(), json!(group.auto_scaling_group_arn)),
            ("AutoScalingGroupName".to_owned(), json!(name)),
            ("AvailabilityZones".to_owned(), json!(group.availability_zones)),
            ("Cooldown".to_owned(), json!(group.default_cooldown)),
            ("DesiredCapacity".to_owned(), json!(group.desired_capacity)),
            ("HealthCheckGracePeriod".to_owned(), json!(group.health_check_grace_period)),
            ("HealthCheckType".to_owned(), json!(group.health_check_type)),
            ("MaxSize".to_owned(), json!(group.max_size)),
            ("MinSize".to_owned(), json!(group.min_size)),
        ]))
    }
}

async fn set_hooks(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    if !request.changed("LifecycleHookSpecificationList") {
        return Ok(());
    }
    let wanted = hooks(&request.properties);
    for old in hooks(&request.previous) {
        if !wanted.iter().any(|hook| hook.lifecycle_hook_name == old.lifecycle_hook_name) {
            let gone = cx
                .call(DeleteLifecycleHookRequest {
                    lifecycle_hook_name: old.lifecycle_hook_name,
                    auto_scaling_group_name: name.to_owned(),
                })
                .await;
            match gone {
                Err(error) if error.message.starts_with("No Lifecycle Hook found") => {}
                other => {
                    other?;
                }
            }
        }
    }
    for hook in wanted {
        cx.call(PutLifecycleHookRequest {
            lifecycle_hook_name: hook.lifecycle_hook_name,
            auto_scaling_group_name: name.to_owned(),
            lifecycle_transition: Some(hook.lifecycle_transition),
            role_arn: hook.role_arn,
            notification_target_arn: hook.notification_target_arn,
            notification_metadata: hook.notification_metadata,
            heartbeat_timeout: hook.heartbeat_timeout.or(Some(3600)),
            default_result: hook.default_result.or_else(|| Some("ABANDON".to_owned())),
        })
        .await?;
    }
    Ok(())
}

async fn set_target_groups(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let of = |properties: &Json| -> BTreeSet<String> {
        let arns = items(properties, "TargetGroupARNs").filter_map(|arn| arn.as_str().map(str::to_owned));
        arns.chain(traffic_sources(properties).into_iter().map(|source| source.identifier)).collect()
    };
    let (before, wanted) = (of(&request.previous), of(&request.properties));
    let new: Vec<String> = wanted.difference(&before).cloned().collect();
    if !new.is_empty() {
        let group = name.to_owned();
        cx.call(AttachLoadBalancerTargetGroupsRequest { auto_scaling_group_name: group, target_group_arns: new })
            .await?;
    }
    let attached = find(cx, name).await?.map(|group| group.target_group_arns).unwrap_or_default();
    let gone: Vec<String> = before.difference(&wanted).filter(|arn| attached.contains(arn)).cloned().collect();
    if !gone.is_empty() {
        let group = name.to_owned();
        cx.call(DetachLoadBalancerTargetGroupsRequest { auto_scaling_group_name: group, target_group_arns: gone })
            .await?;
    }
    Ok(())
}
