//! `AWS::EC2::NetworkAcl`, `AWS::EC2::NetworkAclEntry` and `AWS::EC2::SubnetNetworkAclAssociation`.

use crate::firewall::records;
use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Ref: its id.
pub struct NetworkAclType;

#[async_trait]
impl ResourceType for NetworkAclType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::NetworkAcl"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, &["Tags", "VpcId"])?;
        let look = DescribeNetworkAclsRequest { filters: made_before(request), ..Default::default() };
        let acl = match cx.call(look).await?.network_acls.into_iter().next() {
            Some(acl) => Some(acl),
            None => {
                let new = CreateNetworkAclRequest {
                    vpc_id: required(request, "VpcId")?,
                    tag_specifications: tagged(request, &kinds::NETWORK_ACL),
                    ..Default::default()
                };
                cx.call(new).await?.network_acl
            }
        };
        acl.and_then(|acl| acl.network_acl_id).ok_or_else(|| lacks("NetworkAclId"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        deleted(cx.call(DeleteNetworkAclRequest { network_acl_id: id.to_owned(), ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeNetworkAclsRequest { network_acl_ids: vec![id.to_owned()], ..Default::default() };
        let acl = found(cx.call(look).await)?.and_then(|answer| answer.network_acls.into_iter().next());
        let read =
            |acl: NetworkAcl| Properties::default().with("Id", id).with("VpcId", acl.vpc_id).with_tags(pairs(acl.tags));
        Ok(acl.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

/// Ref: a generated name, as a rule has no id.
pub struct NetworkAclEntryType;

fn entry(request: &ResourceRequest) -> Result<CreateNetworkAclEntryRequest, Error> {
    let rule_number = number(&request.properties, "RuleNumber")?;
    let icmp = |icmp: &Json| -> Result<_, Error> {
        Ok(IcmpTypeCode { code: number(icmp, "Code")?, r#type: number(icmp, "Type")? })
    };
    let ports =
        |range: &Json| -> Result<_, Error> { Ok(PortRange { from: number(range, "From")?, to: number(range, "To")? }) };
    Ok(CreateNetworkAclEntryRequest {
        dry_run: None,
        network_acl_id: required(request, "NetworkAclId")?,
        rule_number: rule_number.ok_or_else(|| lacks("RuleNumber"))?,
        protocol: required(request, "Protocol")?,
        rule_action: required(request, "RuleAction")?,
        egress: request.boolean("Egress").unwrap_or(false),
        cidr_block: request.text("CidrBlock"),
        ipv6_cidr_block: request.text("Ipv6CidrBlock"),
        icmp_type_code: request.properties.get("Icmp").map(icmp).transpose()?,
        port_range: request.properties.get("PortRange").map(ports).transpose()?,
    })
}

#[async_trait]
impl ResourceType for NetworkAclEntryType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::NetworkAclEntry"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let new = entry(request)?;
        let (acl, number, egress) = (new.network_acl_id.clone(), new.rule_number, new.egress);
        let is_there = |tx: &kiln_service_kit::Tx<'_>| {
            let acl = tx.get::<records::NetworkAcl>(cx.scope(), &acl)?;
            Ok(acl.is_some_and(|acl| acl.entries.iter().any(|e| e.number == number && e.egress == egress)))
        };
        if !request.made_before(cx, is_there).await? {
            cx.call(new).await?;
        }
        Ok(request.physical_name.clone())
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        let new = entry(request)?;
        cx.call(ReplaceNetworkAclEntryRequest {
            dry_run: None,
            network_acl_id: new.network_acl_id,
            rule_number: new.rule_number,
            protocol: new.protocol,
            rule_action: new.rule_action,
            egress: new.egress,
            cidr_block: new.cidr_block,
            ipv6_cidr_block: new.ipv6_cidr_block,
            icmp_type_code: new.icmp_type_code,
            port_range: new.port_range,
        })
        .await?;
        Ok(())
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let CreateNetworkAclEntryRequest { network_acl_id, rule_number, egress, .. } = entry(request)?;
        deleted(cx.call(DeleteNetworkAclEntryRequest { dry_run: None, network_acl_id, rule_number, egress }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, known: &Json) -> Result<Option<Properties>, Error> {
        let (Some(acl_id), Some(number)) = (text(known, "NetworkAclId"), number(known, "RuleNumber")?) else {
            return Ok(None);
        };
        let egress = text(known, "Egress").as_deref() == Some("true");
        let look = DescribeNetworkAclsRequest { network_acl_ids: vec![acl_id.clone()], ..Default::default() };
        let acl = found(cx.call(look).await)?.and_then(|answer| answer.network_acls.into_iter().next());
        let entries = acl.into_iter().flat_map(|acl| acl.entries);
        let entry = entries.into_iter().find(|e| e.rule_number == Some(number) && e.egress == Some(egress));
        let read = |entry: NetworkAclEntry| {
            Properties::default()
                .with("Id", id)
                .with("NetworkAclId", acl_id)
                .with("RuleNumber", number)
                .with("Egress", egress)
                .with("Protocol", entry.protocol)
                .with("RuleAction", entry.rule_action)
                .with("CidrBlock", entry.cidr_block)
                .with("Ipv6CidrBlock", entry.ipv6_cidr_block)
                .with_shape("Icmp", &entry.icmp_type_code.unwrap_or_default())
                .with_shape("PortRange", &entry.port_range.unwrap_or_default())
        };
        Ok(entry.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}

/// Ref: the association's id.
pub struct SubnetNetworkAclAssociationType;

/// The only ACL that a filter leaves over.
async fn one_acl(cx: &Cx, filters: Vec<Filter>) -> Result<Option<NetworkAcl>, Error> {
    let found = cx.call(DescribeNetworkAclsRequest { filters, ..Default::default() }).await?;
    Ok(found.network_acls.into_iter().next())
}

async fn follow(cx: &Cx, association_id: String, network_acl_id: String) -> Result<Option<String>, Error> {
    let replace = ReplaceNetworkAclAssociationRequest { dry_run: None, association_id, network_acl_id };
    Ok(cx.call(replace).await?.new_association_id)
}

#[async_trait]
impl ResourceType for SubnetNetworkAclAssociationType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SubnetNetworkAclAssociation"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let (subnet, wanted) = (required(request, "SubnetId")?, required(request, "NetworkAclId")?);
        let acl = one_acl(cx, filter("association.subnet-id", &subnet)).await?;
        let no_such = || Error::sender("InvalidSubnetID.NotFound", format!("The subnet ID '{subnet}' does not exist"));
        let acl = acl.ok_or_else(no_such)?;
        let now = acl.associations.into_iter().find(|a| a.subnet_id.as_ref() == Some(&subnet));
        let now = now.and_then(|a| a.network_acl_association_id).ok_or_else(no_such)?;
        // An earlier try may have done it.
        if acl.network_acl_id.as_ref() == Some(&wanted) {
            return Ok(now);
        }
        follow(cx, now, wanted).await?.ok_or_else(|| lacks("NewAssociationId"))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::internal("every property of a network ACL association needs a replacement"))
    }

    /// The subnet follows its VPC's default ACL again.
    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let Some(acl) = one_acl(cx, filter("association.association-id", id)).await? else {
            return Ok(Stability::Ready);
        };
        let mut of_vpc = filter("vpc-id", &acl.vpc_id.ok_or_else(|| lacks("VpcId"))?);
        of_vpc.extend(filter("default", "true"));
        let default = one_acl(cx, of_vpc).await?.and_then(|acl| acl.network_acl_id);
        deleted(follow(cx, id.to_owned(), default.ok_or_else(|| lacks("NetworkAclId"))?).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let acl = one_acl(cx, filter("association.association-id", id)).await?;
        let associations = acl.into_iter().flat_map(|acl| acl.associations);
        let association = associations.into_iter().find(|one| one.network_acl_association_id.as_deref() == Some(id));
        let read = |association: NetworkAclAssociation| {
            Properties::default()
                .with("AssociationId", id)
                .with("NetworkAclId", association.network_acl_id)
                .with("SubnetId", association.subnet_id)
        };
        Ok(association.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("AssociationId".to_owned(), json!(id))]))
    }
}
