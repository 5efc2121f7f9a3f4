//! What can be changed of a load balancer besides its attributes.

use super::about;
use super::load_balancers::{check_address_type, check_groups, find, subnet_ids, zone_shapes, zones};
use crate::arns::Kind;
use crate::records::LoadBalancer;
use crate::{errors, network};
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(SetSecurityGroups: set_security_groups(SetSecurityGroupsRequest), on about),
    operation!(SetSubnets: set_subnets(SetSubnetsRequest), on about),
    operation!(SetIpAddressType: set_ip_address_type(SetIpAddressTypeRequest), on about),
    operation!(DescribeCapacityReservation: describe_capacity_reservation(DescribeCapacityReservationRequest),
        on everything),
];

/// The load balancer as it is now, to check a change against.
fn current(cx: &Cx, arn: &str) -> Result<LoadBalancer, Error> {
    Kind::LoadBalancer.check(cx, arn)?;
    let found = cx.store().get::<LoadBalancer>(cx.scope(), arn)?;
    found.map(|lb| (*lb).clone()).ok_or_else(errors::no_load_balancer)
}

async fn set_security_groups(cx: &Cx, request: SetSecurityGroupsRequest) -> Result<SetSecurityGroupsResponse, Error> {
    if request.enforce_security_group_inbound_rules_on_private_link_traffic.is_some() {
        return Err(errors::bad_configuration(
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is for network load balancers",
        ));
    }
    let lb = current(cx, &request.load_balancer_arn)?;
    if request.security_groups.is_empty() {
        return Err(errors::bad_configuration("At least one security group must be specified"));
    }
    let groups = check_groups(cx, &request.security_groups, &lb.vpc).await?;
    cx.store()
        .write(|tx| {
            let mut lb = find(tx, cx, &request.load_balancer_arn)?;
            lb.security_groups = groups.clone();
            tx.put_if_changed(cx.scope(), &request.load_balancer_arn, lb).map_err(Error::from)
        })
        .await?;
    Ok(SetSecurityGroupsResponse { security_group_ids: groups, ..Default::default() })
}

async fn set_subnets(cx: &Cx, request: SetSubnetsRequest) -> Result<SetSubnetsResponse, Error> {
    let lb = current(cx, &request.load_balancer_arn)?;
    check_address_type(request.ip_address_type.as_deref())?;
    if request.enable_prefix_for_ipv6_source_nat.is_some() {
        return Err(Error::not_built("elasticloadbalancing:SetSubnets with EnablePrefixForIpv6SourceNat"));
    }
    let subnets = network::subnets(cx, &subnet_ids(&request.subnets, &request.subnet_mappings)?).await?;
    let zones = zones(&subnets)?;
    if subnets[0].vpc != lb.vpc {
        return Err(errors::bad_configuration(format!("The subnets must be in the load balancer's VPC '{}'", lb.vpc)));
    }
    let lb = cx
        .store()
        .write(|tx| {
            let mut lb = find(tx, cx, &request.load_balancer_arn)?;
            lb.zones = zones;
            tx.put_if_changed(cx.scope(), &request.load_balancer_arn, lb.clone())?;
            Ok::<_, Error>(lb)
        })
        .await?;
    Ok(SetSubnetsResponse {
        availability_zones: zone_shapes(&lb),
        ip_address_type: Some("ipv4".to_owned()),
        ..Default::default()
    })
}

async fn set_ip_address_type(cx: &Cx, request: SetIpAddressTypeRequest) -> Result<SetIpAddressTypeResponse, Error> {
    current(cx, &request.load_balancer_arn)?;
    check_address_type(Some(&request.ip_address_type))?;
    Ok(SetIpAddressTypeResponse { ip_address_type: Some(request.ip_address_type) })
}

/// Nothing can be reserved in Kiln (ModifyCapacityReservation is not built), so nothing is.
async fn describe_capacity_reservation(
    cx: &Cx,
    request: DescribeCapacityReservationRequest,
) -> Result<DescribeCapacityReservationResponse, Error> {
    current(cx, &request.load_balancer_arn)?;
    Ok(DescribeCapacityReservationResponse::default())
}
