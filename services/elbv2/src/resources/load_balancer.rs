//! `AWS::ElasticLoadBalancingV2::LoadBalancer`. Ref gives the ARN.

use super::{already_exists, as_request, attributes, found, is_ours, read_tags, set_tags, short_name, tags};
use crate::arns;
use crate::attributes::LOAD_BALANCER;
use async_trait::async_trait;
use kiln_elbv2_shapes as shapes;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, given};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct LoadBalancer;

const TYPE: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";

async fn by_name(cx: &Cx, name: &str) -> Result<Option<shapes::LoadBalancer>, Error> {
    match cx.call(DescribeLoadBalancersRequest { names: vec![name.to_owned()], ..Default::default() }).await {
        Ok(found) => Ok(found.load_balancers.into_iter().next()),
        Err(error) if error.is("LoadBalancerNotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn by_arn(cx: &Cx, arn: &str) -> Result<shapes::LoadBalancer, Error> {
    let request = DescribeLoadBalancersRequest { load_balancer_arns: vec![arn.to_owned()], ..Default::default() };
    cx.call(request).await?.load_balancers.into_iter().next().ok_or_else(crate::errors::no_load_balancer)
}

/// Properties that have no effect in Kiln.
const NOT_SERVED: [&str; 5] = [
    "EnableCapacityReservationProvisionStabilize",
    "EnablePrefixForIpv6SourceNat",
    "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
    "Ipv4IpamPoolId",
    "MinimumLoadBalancerCapacity",
];

fn not_built(request: &ResourceRequest) -> Result<(), Error> {
    match NOT_SERVED.iter().find(|name| request.properties.get(**name).is_some_and(|v| !v.is_null())) {
        Some(name) => Err(Error::not_built(format!("{TYPE} with {name}"))),
        None => Ok(()),
    }
}

/// What an answer says of it, by the names of properties.
fn told(arn: &str, lb: &shapes::LoadBalancer) -> [(&'static str, Json); 11] {
    let subnets: Vec<_> = lb.availability_zones.iter().filter_map(|z| z.subnet_id.clone()).collect();
    [
        ("CanonicalHostedZoneID", json!(lb.canonical_hosted_zone_id)),
        ("DNSName", json!(lb.dns_name)),
        ("IpAddressType", json!(lb.ip_address_type)),
        ("LoadBalancerArn", json!(arn)),
        ("LoadBalancerFullName", json!(arns::full_name(arn))),
        ("LoadBalancerName", json!(lb.load_balancer_name)),
        ("Name", json!(lb.load_balancer_name)),
        ("Scheme", json!(lb.scheme)),
        ("SecurityGroups", json!(lb.security_groups)),
        ("Subnets", json!(subnets)),
        ("Type", json!(lb.r#type)),
    ]
}

async fn set_attributes(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = attributes(request, "LoadBalancerAttributes", &LOAD_BALANCER);
    if wanted.is_empty() {
        return Ok(());
    }
    let attributes = wanted.into_iter().map(|(key, value)| LoadBalancerAttribute { key, value }).collect();
    let load_balancer_arn = arn.to_owned();
    cx.call(ModifyLoadBalancerAttributesRequest { load_balancer_arn, attributes }).await.map(|_| ())
}

#[async_trait]
impl ResourceType for LoadBalancer {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    fn serves(&self, property: &str) -> bool {
        !NOT_SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("EnableCapacityReservationProvisionStabilize", "false"), ("EnablePrefixForIpv6SourceNat", r#""off""#)]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        not_built(request)?;
        let name = request.text("Name").unwrap_or_else(|| short_name(request));
        let found = by_name(cx, &name).await?.and_then(|lb| lb.load_balancer_arn);
        match found {
            Some(arn) if is_ours(cx, &arn, request).await? => Ok(arn),
            Some(_) => Err(already_exists(TYPE, &name)),
            None => {
                let create = CreateLoadBalancerRequest { tags: tags(request), ..as_request(request, Some(&name))? };
                let made = cx.call(create).await?.load_balancers.into_iter().next();
                made.and_then(|lb| lb.load_balancer_arn).ok_or_else(crate::errors::no_load_balancer)
            }
        }
    }

    async fn complete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_attributes(cx, arn, request).await
    }

    async fn stability(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let state = by_arn(cx, physical_id).await?.state.unwrap_or_default();
        Ok(match state.code.as_deref() {
            // Impaired: it answers by its name, and says itself which port it lacks.
            Some("active" | "active_impaired") => Stability::Ready,
            Some("failed") => Stability::Failed(state.reason.unwrap_or_else(|| "the load balancer failed".into())),
            other => Stability::Pending(format!("the load balancer is {}", other.unwrap_or("unknown"))),
        })
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        not_built(request)?;
        let wanted: CreateLoadBalancerRequest = as_request(request, Some(""))?;
        let load_balancer_arn = physical_id.to_owned();
        if request.changed("Subnets") || request.changed("SubnetMappings") {
            let (subnets, subnet_mappings) = (wanted.subnets, wanted.subnet_mappings);
            let load_balancer_arn = load_balancer_arn.clone();
            cx.call(SetSubnetsRequest { load_balancer_arn, subnets, subnet_mappings, ..Default::default() }).await?;
        }
        if request.changed("SecurityGroups") && !wanted.security_groups.is_empty() {
            let security_groups = wanted.security_groups;
            let load_balancer_arn = load_balancer_arn.clone();
            cx.call(SetSecurityGroupsRequest { load_balancer_arn, security_groups, ..Default::default() }).await?;
        }
        if let Some(ip_address_type) = wanted.ip_address_type {
            cx.call(SetIpAddressTypeRequest { load_balancer_arn, ip_address_type }).await?;
        }
        set_attributes(cx, physical_id, request).await?;
        set_tags(cx, physical_id, request).await
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        cx.call(DeleteLoadBalancerRequest { load_balancer_arn: physical_id.to_owned() }).await?;
        // Its subnets and security groups can go once its interfaces have gone.
        let description = format!("ELB {}", arns::full_name(physical_id));
        let left = crate::network::interfaces(cx, &description).await?.len();
        Ok(match left {
            0 => Stability::Ready,
            n => Stability::Pending(format!("{n} network interfaces are being removed")),
        })
    }

    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        Ok(by_name(cx, name).await?.is_some())
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(lb) = found(by_arn(cx, arn).await)? else { return Ok(None) };
        let load_balancer_arn = arn.to_owned();
        let attributes = cx.call(DescribeLoadBalancerAttributesRequest { load_balancer_arn }).await?.attributes;
        let mapping = |zone: &AvailabilityZone| {
            let address = zone.load_balancer_addresses.first();
            let allocation = address.and_then(|address| address.allocation_id.as_ref());
            let private = address.and_then(|address| address.private_ipv4_address.as_ref());
            given(json!({"SubnetId": zone.subnet_id, "AllocationId": allocation, "PrivateIPv4Address": private}))
        };
        let read = told(arn, &lb).into_iter().fold(Properties::default(), |read, (name, value)| read.with(name, value));
        let read = read
            .with_list("SubnetMappings", lb.availability_zones.iter().map(mapping))
            .with_shape("LoadBalancerAttributes", &attributes)
            .with_tags(read_tags(cx, arn).await?);
        Ok(Some(read))
    }

    async fn attributes(
        &self,
        cx: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        let lb = by_arn(cx, physical_id).await?;
        Ok(told(physical_id, &lb).map(|(name, value)| (name.to_owned(), value)).into())
    }
}
