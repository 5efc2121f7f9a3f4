//! `AWS::AutoScaling::AutoScalingGroup`. Ref: its name; GetAtt: AutoScalingGroupARN,
//! AutoScalingGroupName. Settled when as many instances as desired are in service.

use super::asked::{find, launches_fail};
use super::rolling::GroupRoll;
use super::{flag, items, number, refuse, text};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Roll, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub struct GroupType;

/// Properties that change what the group does and that Kiln does not serve.
const NOT_SERVED: &[&str] = &[
    "AvailabilityZoneIds",
    "AvailabilityZoneImpairmentPolicy",
    "CapacityRebalance",
    "CapacityReservationSpecification",
    "InstanceId",
    "Context",
    "DeletionProtection",
    "DesiredCapacityType",
    "InstanceLifecyclePolicy",
    "InstanceMaintenancePolicy",
    "LoadBalancerNames",
    "MaxInstanceLifetime",
    "MixedInstancesPolicy",
    "NotificationConfiguration",
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

fn distribution(request: &ResourceRequest) -> Option<AvailabilityZoneDistribution> {
    let given = request.properties.get("AvailabilityZoneDistribution")?;
    Some(AvailabilityZoneDistribution { capacity_distribution_strategy: text(given, "CapacityDistributionStrategy") })
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

    fn name_property(&self) -> Option<&'static str> {
        Some("AutoScalingGroupName")
    }

    fn serves(&self, property: &str) -> bool {
        !NOT_SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("AvailabilityZoneImpairmentPolicy/ImpairedZoneHealthCheckBehavior", r#""IgnoreUnhealthy""#),
            ("AvailabilityZoneImpairmentPolicy/ImpairedZoneHealthCheckBehavior", r#""ReplaceUnhealthy""#),
            ("AvailabilityZoneImpairmentPolicy/ZonalShiftEnabled", "false"),
            ("CapacityRebalance", "false"),
            ("CapacityReservationSpecification/CapacityReservationPreference", r#""default""#),
            ("DeletionProtection", r#""none""#),
            ("DesiredCapacityType", r#""units""#),
            ("InstanceMaintenancePolicy/MaxHealthyPercentage", "-1"),
            ("InstanceMaintenancePolicy/MinHealthyPercentage", "-1"),
            ("MaxInstanceLifetime", "0"),
            ("SkipZonalShiftValidation", "false"),
        ]
    }

    fn roll(&self) -> Option<&dyn Roll> {
        Some(&GroupRoll)
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
                lifecycle_hook_specification_list: hooks(&request.properties),
                tags: tags(&request.tags, &request.properties, &name),
                service_linked_role_arn: request.text("ServiceLinkedRoleARN"),
                default_instance_warmup: small(request, "DefaultInstanceWarmup"),
                availability_zone_distribution: distribution(request),
                ..Default::default()
            })
            .await;
        match made {
            Ok(_) => {}
            Err(error) if error.is("AlreadyExists") => match find(cx, &name).await? {
                Some(group) if is_ours(&group, request) => {}
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
        match tell(cx, &name, request).await {
            Ok(()) => Ok(name),
            Err(error) => {
                // Nobody would know of the group: its name is told by the answer alone.
                let gone =
                    DeleteAutoScalingGroupRequest { auto_scaling_group_name: name.clone(), force_delete: Some(true) };
                if let Err(left) = cx.call(gone).await {
                    tracing::warn!(error = left.chain(), group = name, "a group that was half made is left");
                }
                Err(error)
            }
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
        if let Some(reason) = launches_fail(cx, name, request.since).await? {
            return Ok(Stability::Failed(format!("Group did not stabilize. {reason}")));
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
        tell(cx, name, request).await?;
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
            default_instance_warmup: Some(usual("DefaultInstanceWarmup", -1)),
            availability_zone_distribution: distribution(request),
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

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(group) = find(cx, name).await? else { return Ok(None) };
        let asked = DescribeLifecycleHooksRequest { auto_scaling_group_name: name.to_owned(), ..Default::default() };
        let hooks = cx.call(asked).await?.lifecycle_hooks;
        let told = DescribeNotificationConfigurationsRequest {
            auto_scaling_group_names: vec![name.to_owned()],
            max_records: Some(100),
            ..Default::default()
        };
        let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in cx.call(told).await?.notification_configurations {
            let topic = one.topic_arn.ok_or_else(|| Error::internal("a notification without its topic"))?;
            topics.entry(topic).or_default().extend(one.notification_type);
        }
        let topics = topics.into_iter().map(|(topic, events)| json!({"TopicARN": topic, "NotificationTypes": events}));
        let metrics: Vec<String> = group.enabled_metrics.iter().filter_map(|enabled| enabled.metric.clone()).collect();
        let metrics = (!metrics.is_empty()).then(|| json!({"Granularity": "1Minute", "Metrics": metrics}));
        let subnets = group.vpc_zone_identifier.iter().flat_map(|list| list.split(',')).map(str::trim);
        let subnets = subnets.filter(|subnet| !subnet.is_empty()).map(str::to_owned);
        let tag = |tag: TagDescription| json!({"Key": tag.key, "Value": tag.value, "PropagateAtLaunch": tag.propagate_at_launch});
        let own = |tag: &TagDescription| !tag.key.as_deref().is_some_and(|key| key.starts_with("aws:"));
        // An instance says itself which template it has; of a group it is the one that new ones get.
        let template = group.launch_template.unwrap_or_default();
        let read = Properties::default()
            .with("AutoScalingGroupName", group.auto_scaling_group_name)
            .with("AutoScalingGroupARN", group.auto_scaling_group_arn)
            .with("LaunchConfigurationName", group.launch_configuration_name)
            .with_shape("LaunchTemplate", &template)
            .with("MinSize", group.min_size)
            .with("MaxSize", group.max_size)
            .with("DesiredCapacity", group.desired_capacity)
            .with("Cooldown", group.default_cooldown)
            .with_list("AvailabilityZones", group.availability_zones)
            .with_list("TargetGroupARNs", group.target_group_arns)
            .with("HealthCheckType", group.health_check_type)
            .with("HealthCheckGracePeriod", group.health_check_grace_period)
            .with_list("VPCZoneIdentifier", subnets)
            .with_list("TerminationPolicies", group.termination_policies)
            .with("NewInstancesProtectedFromScaleIn", group.new_instances_protected_from_scale_in)
            .with("ServiceLinkedRoleARN", group.service_linked_role_arn)
            .with("MaxInstanceLifetime", group.max_instance_lifetime)
            .with("CapacityRebalance", group.capacity_rebalance)
            .with("Context", group.context)
            .with("DesiredCapacityType", group.desired_capacity_type)
            .with("DefaultInstanceWarmup", group.default_instance_warmup)
            .with("DeletionProtection", group.deletion_protection)
            .with_shape("TrafficSources", &group.traffic_sources)
            .with_shape("InstanceMaintenancePolicy", &group.instance_maintenance_policy.unwrap_or_default())
            .with_shape("AvailabilityZoneDistribution", &group.availability_zone_distribution.unwrap_or_default())
            .with_shape(
                "AvailabilityZoneImpairmentPolicy",
                &group.availability_zone_impairment_policy.unwrap_or_default(),
            )
            .with_shape("LifecycleHookSpecificationList", &hooks)
            .with_list("NotificationConfigurations", topics)
            .with_list("MetricsCollection", metrics)
            .with_list("Tags", group.tags.into_iter().filter(own).map(tag));
        Ok(Some(read))
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

/// Topics and what they are told of.
fn notifications(properties: &Json) -> Vec<(String, Vec<String>)> {
    items(properties, "NotificationConfigurations")
        .map(|given| {
            let events = items(given, "NotificationTypes").filter_map(|event| event.as_str().map(str::to_owned));
            (text(given, "TopicARN").unwrap_or_default(), events.collect())
        })
        .collect()
}

/// Who is told of the group, and which metrics are.
async fn tell(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    set_notifications(cx, name, request).await?;
    set_metrics(cx, name, request).await
}

async fn set_notifications(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let (before, wanted) = (notifications(&request.previous), notifications(&request.properties));
    let group = || name.to_owned();
    for (topic, _) in before.iter().filter(|(topic, _)| !wanted.iter().any(|(kept, _)| kept == topic)) {
        let gone =
            DeleteNotificationConfigurationRequest { auto_scaling_group_name: group(), topic_arn: topic.clone() };
        cx.call(gone).await?;
    }
    for (topic, events) in wanted.into_iter().filter(|one| !before.contains(one)) {
        cx.call(PutNotificationConfigurationRequest {
            auto_scaling_group_name: group(),
            topic_arn: topic,
            notification_types: events,
        })
        .await?;
    }
    Ok(())
}

async fn set_metrics(cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
    let of = |properties: &Json| items(properties, "MetricsCollection").cloned().collect::<Vec<_>>();
    let (before, wanted) = (of(&request.previous), of(&request.properties));
    if before == wanted {
        return Ok(());
    }
    if !before.is_empty() {
        let metrics = vec![];
        cx.call(DisableMetricsCollectionRequest { auto_scaling_group_name: name.to_owned(), metrics }).await?;
    }
    for given in wanted {
        cx.call(EnableMetricsCollectionRequest {
            auto_scaling_group_name: name.to_owned(),
            granularity: text(&given, "Granularity").unwrap_or_default(),
            metrics: items(&given, "Metrics").filter_map(|metric| metric.as_str().map(str::to_owned)).collect(),
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
