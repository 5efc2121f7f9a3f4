//! `AWS::EC2::Subnet`. Ref: its id.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType, Stability, async_trait};
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

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = cx.call(DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() }).await?;
        let subnet = found.subnets.into_iter().next().ok_or_else(|| lacks("the subnet"))?;
        let acls = cx
            .call(DescribeNetworkAclsRequest { filters: filter("association.subnet-id", id), ..Default::default() })
            .await?;
        let associations = acls.network_acls.iter().flat_map(|acl| &acl.associations);
        let acl = associations.into_iter().find(|a| a.subnet_id.as_deref() == Some(id));
        Ok(BTreeMap::from([
            ("SubnetId".to_owned(), json!(id)),
            ("AvailabilityZone".to_owned(), json!(subnet.availability_zone)),
            ("AvailabilityZoneId".to_owned(), json!(subnet.availability_zone_id)),
            ("AssignIpv6AddressOnCreation".to_owned(), json!(subnet.assign_ipv6_address_on_creation)),
            ("CidrBlock".to_owned(), json!(subnet.cidr_block)),
            ("MapPublicIpOnLaunch".to_owned(), json!(subnet.map_public_ip_on_launch)),
            ("Ipv6CidrBlocks".to_owned(), json!([])),
            ("NetworkAclAssociationId".to_owned(), json!(acl.and_then(|a| a.network_acl_association_id.clone()))),
            ("VpcId".to_owned(), json!(subnet.vpc_id)),
        ]))
    }
}
