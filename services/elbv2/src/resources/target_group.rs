//! `AWS::ElasticLoadBalancingV2::TargetGroup`. Ref gives the ARN.

use super::{already_exists, as_request, attributes, found, is_ours, list, read_tags, set_tags, short_name, tags};
use crate::arns;
use crate::attributes::TARGET_GROUP;
use async_trait::async_trait;
use kiln_elbv2_shapes as shapes;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct TargetGroup;

const TYPE: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

async fn by_name(cx: &Cx, name: &str) -> Result<Option<String>, Error> {
    match cx.call(DescribeTargetGroupsRequest { names: vec![name.to_owned()], ..Default::default() }).await {
        Ok(found) => Ok(found.target_groups.into_iter().find_map(|group| group.target_group_arn)),
        Err(error) if error.is("TargetGroupNotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn by_arn(cx: &Cx, arn: &str) -> Result<shapes::TargetGroup, Error> {
    let request = DescribeTargetGroupsRequest { target_group_arns: vec![arn.to_owned()], ..Default::default() };
    cx.call(request).await?.target_groups.into_iter().next().ok_or_else(crate::errors::no_target_group)
}

/// What is read-only.
fn told(arn: &str, group: &shapes::TargetGroup) -> [(&'static str, Json); 4] {
    [
        ("LoadBalancerArns", json!(group.load_balancer_arns)),
        ("TargetGroupArn", json!(arn)),
        ("TargetGroupFullName", json!(arns::full_name(arn))),
        ("TargetGroupName", json!(group.target_group_name)),
    ]
}

async fn set_attributes(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = attributes(request, "TargetGroupAttributes", &TARGET_GROUP);
    if wanted.is_empty() {
        return Ok(());
    }
    let attributes = wanted.into_iter().map(|(key, value)| TargetGroupAttribute { key, value }).collect();
    let target_group_arn = arn.to_owned();
    cx.call(ModifyTargetGroupAttributesRequest { target_group_arn, attributes }).await.map(|_| ())
}

/// Registers the template's targets and deregisters those it named before and names no more.
/// Targets that others registered (Auto Scaling) are left alone.
async fn set_targets(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted: Vec<TargetDescription> = list(&request.properties, "Targets")?;
    let before: Vec<TargetDescription> = list(&request.previous, "Targets")?;
    let gone: Vec<_> = before.into_iter().filter(|t| !wanted.contains(t)).collect();
    let target_group_arn = arn.to_owned();
    if !gone.is_empty() {
        let target_group_arn = target_group_arn.clone();
        cx.call(DeregisterTargetsRequest { target_group_arn, targets: gone }).await?;
    }
    if !wanted.is_empty() {
        cx.call(RegisterTargetsRequest { target_group_arn, targets: wanted }).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for TargetGroup {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let name = request.text("Name").unwrap_or_else(|| short_name(request));
        match by_name(cx, &name).await? {
            Some(arn) if is_ours(cx, &arn, request).await? => Ok(arn),
            Some(_) => Err(already_exists(TYPE, &name)),
            None => {
                let create = CreateTargetGroupRequest { tags: tags(request), ..as_request(request, Some(&name))? };
                let made = cx.call(create).await?.target_groups.into_iter().next();
                made.and_then(|g| g.target_group_arn).ok_or_else(crate::errors::no_target_group)
            }
        }
    }

    async fn complete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_attributes(cx, arn, request).await?;
        set_targets(cx, arn, request).await
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        // Names that ModifyTargetGroup shares with the properties; what a template leaves out goes
        // back to its default.
        let mut wanted: CreateTargetGroupRequest = as_request(request, Some(""))?;
        let text = |given: Option<String>, default: &str| given.or_else(|| Some(default.to_owned()));
        cx.call(ModifyTargetGroupRequest {
            target_group_arn: physical_id.to_owned(),
            health_check_protocol: wanted.health_check_protocol.take(),
            health_check_port: text(wanted.health_check_port.take(), "traffic-port"),
            health_check_path: text(wanted.health_check_path.take(), "/"),
            health_check_enabled: wanted.health_check_enabled,
            health_check_interval_seconds: wanted.health_check_interval_seconds.or(Some(30)),
            health_check_timeout_seconds: wanted.health_check_timeout_seconds.or(Some(5)),
            healthy_threshold_count: wanted.healthy_threshold_count.or(Some(5)),
            unhealthy_threshold_count: wanted.unhealthy_threshold_count.or(Some(2)),
            matcher: wanted.matcher.take().or(Some(Matcher { http_code: Some("200".to_owned()), grpc_code: None })),
        })
        .await?;
        set_attributes(cx, physical_id, request).await?;
        set_targets(cx, physical_id, request).await?;
        set_tags(cx, physical_id, request).await
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.call(DeleteTargetGroupRequest { target_group_arn: physical_id.to_owned() }).await?;
        Ok(Stability::Ready)
    }

    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        Ok(by_name(cx, name).await?.is_some())
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(group) = found(by_arn(cx, arn).await)? else { return Ok(None) };
        let target_group_arn = || arn.to_owned();
        let asked = DescribeTargetGroupAttributesRequest { target_group_arn: target_group_arn() };
        let attributes = cx.call(asked).await?.attributes;
        let asked = DescribeTargetHealthRequest { target_group_arn: target_group_arn(), ..Default::default() };
        let health = cx.call(asked).await?.target_health_descriptions;
        let leaving = |state: Option<String>| state.as_deref() == Some("draining");
        let stays = health.into_iter().filter(|one| !leaving(one.target_health.clone().and_then(|h| h.state)));
        let targets: Vec<TargetDescription> = stays.filter_map(|one| one.target).collect();
        let read =
            told(arn, &group).into_iter().fold(Properties::default(), |read, (name, value)| read.with(name, value));
        let read = read
            .with("Name", group.target_group_name)
            .with("Protocol", group.protocol)
            .with("ProtocolVersion", group.protocol_version)
            .with("Port", group.port)
            .with("VpcId", group.vpc_id)
            .with("TargetType", group.target_type)
            .with("IpAddressType", group.ip_address_type)
            .with("TargetControlPort", group.target_control_port)
            .with("HealthCheckEnabled", group.health_check_enabled)
            .with("HealthCheckProtocol", group.health_check_protocol)
            .with("HealthCheckPort", group.health_check_port)
            .with("HealthCheckPath", group.health_check_path)
            .with("HealthCheckIntervalSeconds", group.health_check_interval_seconds)
            .with("HealthCheckTimeoutSeconds", group.health_check_timeout_seconds)
            .with("HealthyThresholdCount", group.healthy_threshold_count)
            .with("UnhealthyThresholdCount", group.unhealthy_threshold_count)
            .with_shape("Matcher", &group.matcher.unwrap_or_default())
            .with_shape("TargetGroupAttributes", &attributes)
            .with_shape("Targets", &targets)
            .with_tags(read_tags(cx, arn).await?);
        Ok(Some(read))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        let group = by_arn(cx, physical_id).await?;
        Ok(told(physical_id, &group).map(|(name, value)| (name.to_owned(), value)).into())
    }
}
