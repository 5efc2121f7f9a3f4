//! `AWS::EC2::Subnet`. Ref: its id.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct SubnetType;

const NAME: &str = "AWS::EC2::Subnet";
const SERVED: &[&str] = &[
    "AssignIpv6AddressOnCreation",
    "AvailabilityZone",
    "AvailabilityZoneId",
    "CidrBlock",
    "MapPublicIpOnLaunch",
    "Tags",
    "VpcId",
];

async fn set_attributes(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let value = |name: &str| Some(AttributeBooleanValue { value: Some(request.boolean(name).unwrap_or(false)) });
    cx.call(ModifySubnetAttributeRequest {
        subnet_id: id.to_owned(),
        map_public_ip_on_launch: value("MapPublicIpOnLaunch"),
        assign_ipv6_address_on_creation: value("AssignIpv6AddressOnCreation"),
        ..Default::default()
    })
    .await?;
    Ok(())
}

/// The id of what says which network ACL it has.
async fn acl_association(cx: &Cx, id: &str) -> Result<Option<String>, Error> {
    let look = DescribeNetworkAclsRequest { filters: filter("association.subnet-id", id), ..Default::default() };
    let associations = cx.call(look).await?.network_acls.into_iter().flat_map(|acl| acl.associations);
    let association = associations.into_iter().find(|one| one.subnet_id.as_deref() == Some(id));
    Ok(association.and_then(|one| one.network_acl_association_id))
}

#[async_trait]
impl ResourceType for SubnetType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("EnableDns64", "false"),
            ("Ipv6Native", "false"),
            ("PrivateDnsNameOptionsOnLaunch/EnableResourceNameDnsAAAARecord", "false"),
            ("PrivateDnsNameOptionsOnLaunch/EnableResourceNameDnsARecord", "false"),
            ("PrivateDnsNameOptionsOnLaunch/HostnameType", r#""ip-name""#),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let before = cx.call(DescribeSubnetsRequest { filters: made_before(request), ..Default::default() }).await?;
        let subnet = match before.subnets.into_iter().next() {
            Some(subnet) => Some(subnet),
            None => {
                let new = CreateSubnetRequest {
                    vpc_id: required(request, "VpcId")?,
                    cidr_block: request.text("CidrBlock"),
                    availability_zone: request.text("AvailabilityZone"),
                    availability_zone_id: request.text("AvailabilityZoneId"),
                    tag_specifications: tagged(request, &kinds::SUBNET),
                    ..Default::default()
                };
                cx.call(new).await?.subnet
            }
        };
        subnet.and_then(|subnet| subnet.subnet_id).ok_or_else(|| lacks("SubnetId"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_attributes(cx, id, request).await
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        set_attributes(cx, id, request).await?;
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteSubnetRequest { subnet_id: id.to_owned(), ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() };
        let Some(subnet) = found(cx.call(look).await)?.and_then(|answer| answer.subnets.into_iter().next()) else {
            return Ok(None);
        };
        let read = Properties::default()
            .with("SubnetId", id)
            .with("VpcId", subnet.vpc_id)
            .with("CidrBlock", subnet.cidr_block)
            .with("AvailabilityZone", subnet.availability_zone)
            .with("AvailabilityZoneId", subnet.availability_zone_id)
            .with("MapPublicIpOnLaunch", subnet.map_public_ip_on_launch)
            .with("AssignIpv6AddressOnCreation", subnet.assign_ipv6_address_on_creation)
            .with("EnableDns64", subnet.enable_dns64)
            .with("Ipv6Native", subnet.ipv6_native)
            .with_shape("PrivateDnsNameOptionsOnLaunch", &subnet.private_dns_name_options_on_launch.unwrap_or_default())
            .with("NetworkAclAssociationId", acl_association(cx, id).await?)
            .with_tags(pairs(subnet.tags));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = cx.call(DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() }).await?;
        let subnet = found.subnets.into_iter().next().ok_or_else(|| lacks("the subnet"))?;
        let acl = acl_association(cx, id).await?;
        Ok(BTreeMap::from([
            ("SubnetId".to_owned(), json!(id)),
            ("AvailabilityZone".to_owned(), json!(subnet.availability_zone)),
            ("AvailabilityZoneId".to_owned(), json!(subnet.availability_zone_id)),
            ("AssignIpv6AddressOnCreation".to_owned(), json!(subnet.assign_ipv6_address_on_creation)),
            ("CidrBlock".to_owned(), json!(subnet.cidr_block)),
            ("MapPublicIpOnLaunch".to_owned(), json!(subnet.map_public_ip_on_launch)),
            ("Ipv6CidrBlocks".to_owned(), json!([])),
            ("NetworkAclAssociationId".to_owned(), json!(acl)),
            ("VpcId".to_owned(), json!(subnet.vpc_id)),
        ]))
    }
}
