//! `AWS::EC2::VPCCidrBlock`: one more IPv4 block of a VPC. Ref: the association's id.

use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct VpcCidrBlockType;

const NAME: &str = "AWS::EC2::VPCCidrBlock";

/// The association of the block, if the VPC has it.
async fn found(cx: &Cx, vpc: &str, block: &str) -> Result<Option<String>, Error> {
    let look = DescribeVpcsRequest { vpc_ids: vec![vpc.to_owned()], ..Default::default() };
    let vpc = cx.call(look).await?.vpcs.into_iter().next().ok_or_else(|| lacks("the VPC"))?;
    let same = |a: &&VpcCidrBlockAssociation| a.cidr_block.as_deref() == Some(block);
    Ok(vpc.cidr_block_association_set.iter().find(same).and_then(|a| a.association_id.clone()))
}

#[async_trait]
impl ResourceType for VpcCidrBlockType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        ["CidrBlock", "VpcId"].contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("AmazonProvidedIpv6CidrBlock", "false")]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, &["CidrBlock", "VpcId"])?;
        let (vpc_id, block) = (required(request, "VpcId")?, required(request, "CidrBlock")?);
        let associate = AssociateVpcCidrBlockRequest {
            vpc_id: vpc_id.clone(),
            cidr_block: Some(block.clone()),
            ..Default::default()
        };
        let made = match cx.call(associate).await {
            Ok(made) => made.cidr_block_association.and_then(|association| association.association_id),
            // An association has no tags to know an earlier try by: the same block on the same VPC is it.
            Err(error) if error.is("CidrConflict") => match found(cx, &vpc_id, &block).await? {
                Some(id) if !is_first(cx, &vpc_id, &id).await? => Some(id),
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        };
        made.ok_or_else(|| lacks("AssociationId"))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::internal("every property of a VPC's block needs a replacement"))
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let association_id = id.to_owned();
        let gone = DisassociateVpcCidrBlockRequest { association_id };
        match cx.call(gone).await {
            Err(error) if error.code.ends_with("NotFound") => Ok(Stability::Ready),
            other => deleted(other),
        }
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let vpc_ids = text(known, "VpcId").into_iter().collect();
        let look = cx.call(DescribeVpcsRequest { vpc_ids, ..Default::default() }).await;
        for vpc in crate::properties::found(look)?.map(|answer| answer.vpcs).unwrap_or_default() {
            let mut blocks = vpc.cidr_block_association_set.into_iter();
            if let Some(block) = blocks.find(|block| block.association_id.as_deref() == Some(id)) {
                let read = Properties::default().with("Id", id).with("VpcId", vpc.vpc_id);
                return Ok(Some(read.with("CidrBlock", block.cidr_block)));
            }
        }
        Ok(None)
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

/// The block that a VPC was made with is not an additional one.
async fn is_first(cx: &Cx, vpc: &str, id: &str) -> Result<bool, Error> {
    let look = DescribeVpcsRequest { vpc_ids: vec![vpc.to_owned()], ..Default::default() };
    let vpc = cx.call(look).await?.vpcs.into_iter().next().ok_or_else(|| lacks("the VPC"))?;
    let first = vpc.cidr_block_association_set.into_iter().find(|a| a.cidr_block == vpc.cidr_block);
    Ok(first.and_then(|a| a.association_id).as_deref() == Some(id))
}
