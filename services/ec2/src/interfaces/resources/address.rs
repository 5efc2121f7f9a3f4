//! `AWS::EC2::EIP` (Ref: the address itself) and `AWS::EC2::EIPAssociation` (Ref: its id).

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct EipType;

const NAME: &str = "AWS::EC2::EIP";
const SERVED: &[&str] = &["Domain", "InstanceId", "Tags"];

/// The address; none when it was released.
async fn find(cx: &Cx, ip: &str) -> Result<Option<shapes::Address>, Error> {
    let look = DescribeAddressesRequest { filters: filter("public-ip", ip), ..Default::default() };
    Ok(cx.call(look).await?.addresses.into_iter().next())
}

async fn give(cx: &Cx, address: &shapes::Address, request: &ResourceRequest) -> Result<(), Error> {
    if let Some(instance) = request.text("InstanceId") {
        let associate = AssociateAddressRequest {
            allocation_id: address.allocation_id.clone(),
            instance_id: Some(instance),
            ..Default::default()
        };
        cx.call(associate).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for EipType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("PublicIpv4Pool", r#""amazon""#)]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let look = DescribeAddressesRequest { filters: made_before(request), ..Default::default() };
        match cx.call(look).await?.addresses.into_iter().next() {
            Some(address) => address.public_ip,
            None => {
                let tag_specifications = tagged(request, &kinds::ADDRESS);
                let domain = request.text("Domain");
                cx.call(AllocateAddressRequest { domain, tag_specifications, ..Default::default() }).await?.public_ip
            }
        }
        .ok_or_else(|| lacks("PublicIp"))
    }

    async fn complete(&self, cx: &Cx, ip: &str, request: &ResourceRequest) -> Result<(), Error> {
        let address = find(cx, ip).await?.ok_or_else(|| lacks("the address"))?;
        give(cx, &address, request).await
    }

    async fn update(&self, cx: &Cx, ip: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        let address = find(cx, ip).await?.ok_or_else(|| lacks("the address"))?;
        if request.changed("InstanceId") {
            if let Some(id) = address.association_id.clone() {
                cx.call(DisassociateAddressRequest { association_id: Some(id), ..Default::default() }).await?;
            }
            give(cx, &address, request).await?;
        }
        retag(cx, &address.allocation_id.clone().ok_or_else(|| lacks("AllocationId"))?, request).await
    }

    async fn delete(&self, cx: &Cx, ip: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let Some(address) = find(cx, ip).await? else { return Ok(Stability::Ready) };
        // What this resource associated, it takes away; what others did is theirs.
        if let Some(id) = address.association_id.filter(|_| request.text("InstanceId").is_some()) {
            let disassociate = DisassociateAddressRequest { association_id: Some(id), ..Default::default() };
            gone_is_fine(cx.call(disassociate).await)?;
        }
        let allocation_id = address.allocation_id;
        deleted(cx.call(ReleaseAddressRequest { allocation_id, ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, ip: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(address) = find(cx, ip).await? else { return Ok(None) };
        let read = Properties::default()
            .with("PublicIp", ip)
            .with("AllocationId", address.allocation_id)
            .with("Domain", address.domain)
            .with("InstanceId", address.instance_id)
            .with("PublicIpv4Pool", address.public_ipv4_pool)
            .with("NetworkBorderGroup", address.network_border_group)
            .with_tags(pairs(address.tags));
        Ok(Some(read))
    }

    async fn attributes(&self, cx: &Cx, ip: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let address = find(cx, ip).await?.ok_or_else(|| lacks("the address"))?;
        Ok(BTreeMap::from([
            ("AllocationId".to_owned(), json!(address.allocation_id)),
            ("PublicIp".to_owned(), json!(ip)),
        ]))
    }
}

pub struct EipAssociationType;

const ASSOCIATION: &[&str] = &["AllocationId", "EIP", "InstanceId", "NetworkInterfaceId", "PrivateIpAddress"];

#[async_trait]
impl ResourceType for EipAssociationType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::EIPAssociation"
    }

    fn serves(&self, property: &str) -> bool {
        ASSOCIATION.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, ASSOCIATION)?;
        // Once more for the same interface gives the same association.
        let associate = AssociateAddressRequest {
            allocation_id: request.text("AllocationId"),
            public_ip: request.text("EIP"),
            instance_id: request.text("InstanceId"),
            network_interface_id: request.text("NetworkInterfaceId"),
            private_ip_address: request.text("PrivateIpAddress"),
            ..Default::default()
        };
        cx.call(associate).await?.association_id.ok_or_else(|| lacks("AssociationId"))
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Err(Error::internal("every property of an address association needs a replacement"))
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let association_id = Some(id.to_owned());
        deleted(cx.call(DisassociateAddressRequest { association_id, ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeAddressesRequest { filters: filter("association-id", id), ..Default::default() };
        let read = |address: shapes::Address| {
            Properties::default()
                .with("Id", id)
                .with("AllocationId", address.allocation_id)
                .with("EIP", address.public_ip)
                .with("InstanceId", address.instance_id)
                .with("NetworkInterfaceId", address.network_interface_id)
                .with("PrivateIpAddress", address.private_ip_address)
        };
        Ok(cx.call(look).await?.addresses.into_iter().next().map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("Id".to_owned(), json!(id))]))
    }
}
