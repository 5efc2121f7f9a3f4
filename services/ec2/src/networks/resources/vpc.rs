//! `AWS::EC2::VPC`. Ref: its id.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct VpcType;

const NAME: &str = "AWS::EC2::VPC";
const SERVED: &[&str] = &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"];

async fn set_attributes(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let value = |value| Some(AttributeBooleanValue { value: Some(value) });
    let vpc_id = || id.to_owned();
    // AWS's defaults of a VPC that is not the default one, for a property that was taken away.
    let support = request.boolean("EnableDnsSupport").unwrap_or(true);
    cx.call(ModifyVpcAttributeRequest { vpc_id: vpc_id(), enable_dns_support: value(support), ..Default::default() })
        .await?;
    let names = request.boolean("EnableDnsHostnames").unwrap_or(false);
    cx.call(ModifyVpcAttributeRequest { vpc_id: vpc_id(), enable_dns_hostnames: value(names), ..Default::default() })
        .await?;
    Ok(())
}

async fn dns_attribute(cx: &Cx, id: &str, attribute: &str) -> Result<Option<bool>, Error> {
    let (vpc_id, attribute) = (id.to_owned(), attribute.to_owned());
    let found = cx.call(DescribeVpcAttributeRequest { vpc_id, attribute, ..Default::default() }).await?;
    Ok(found.enable_dns_support.or(found.enable_dns_hostnames).and_then(|flag| flag.value))
}

/// What answers say of it, by the names of properties.
async fn told(cx: &Cx, id: &str, vpc: &Vpc) -> Result<[(&'static str, Json); 9], Error> {
    let of_vpc = filter("vpc-id", id);
    let groups = cx
        .call(DescribeSecurityGroupsRequest {
            filters: [of_vpc.clone(), filter("group-name", "default")].concat(),
            ..Default::default()
        })
        .await?;
    let default = [of_vpc, filter("default", "true")].concat();
    let acls = cx.call(DescribeNetworkAclsRequest { filters: default, ..Default::default() }).await?;
    let blocks: Vec<_> = vpc.cidr_block_association_set.iter().filter_map(|a| a.association_id.clone()).collect();
    Ok([
        ("VpcId", json!(id)),
        ("CidrBlock", json!(vpc.cidr_block)),
        ("CidrBlockAssociations", json!(blocks)),
        ("EnableDnsHostnames", json!(dns_attribute(cx, id, "enableDnsHostnames").await?)),
        ("EnableDnsSupport", json!(dns_attribute(cx, id, "enableDnsSupport").await?)),
        ("InstanceTenancy", json!(vpc.instance_tenancy)),
        ("Ipv6CidrBlocks", json!([])),
        ("DefaultSecurityGroup", json!(groups.security_groups.first().and_then(|g| g.group_id.clone()))),
        ("DefaultNetworkAcl", json!(acls.network_acls.first().and_then(|acl| acl.network_acl_id.clone()))),
    ])
}

#[async_trait]
impl ResourceType for VpcType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let before = cx.call(DescribeVpcsRequest { filters: made_before(request), ..Default::default() }).await?;
        let vpc = match before.vpcs.into_iter().next() {
            Some(vpc) => Some(vpc),
            None => {
                let new = CreateVpcRequest {
                    cidr_block: request.text("CidrBlock"),
                    instance_tenancy: request.text("InstanceTenancy"),
                    tag_specifications: tagged(request, &kinds::VPC),
                    ..Default::default()
                };
                cx.call(new).await?.vpc
            }
        };
        vpc.and_then(|vpc| vpc.vpc_id).ok_or_else(|| lacks("VpcId"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_attributes(cx, id, request).await
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("InstanceTenancy") && request.text("InstanceTenancy").is_some_and(|t| t != "default") {
            return Err(Error::not_built("InstanceTenancy other than default of AWS::EC2::VPC"));
        }
        set_attributes(cx, id, request).await?;
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteVpcRequest { vpc_id: id.to_owned(), ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeVpcsRequest { vpc_ids: vec![id.to_owned()], ..Default::default() };
        let Some(vpc) = found(cx.call(look).await)?.and_then(|answer| answer.vpcs.into_iter().next()) else {
            return Ok(None);
        };
        let read = told(cx, id, &vpc).await?.into_iter();
        let read = read.fold(Properties::default(), |read, (name, value)| read.with(name, value));
        Ok(Some(read.with_tags(pairs(vpc.tags))))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = cx.call(DescribeVpcsRequest { vpc_ids: vec![id.to_owned()], ..Default::default() }).await?;
        let vpc = found.vpcs.into_iter().next().ok_or_else(|| lacks("the VPC"))?;
        Ok(told(cx, id, &vpc).await?.map(|(name, value)| (name.to_owned(), value)).into())
    }
}
