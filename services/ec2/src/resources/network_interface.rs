//! `AWS::EC2::NetworkInterface`. Ref: its id.

use super::properties::*;
use crate::kinds;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct NetworkInterfaceType;

const NAME: &str = "AWS::EC2::NetworkInterface";
const SERVED: &[&str] = &["Description", "GroupSet", "PrivateIpAddress", "SourceDestCheck", "SubnetId", "Tags"];

async fn set_source_dest_check(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let value = Some(request.boolean("SourceDestCheck").unwrap_or(true));
    cx.call(ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: id.to_owned(),
        source_dest_check: Some(AttributeBooleanValue { value }),
        ..Default::default()
    })
    .await?;
    Ok(())
}

#[async_trait]
impl ResourceType for NetworkInterfaceType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let new = CreateNetworkInterfaceRequest {
            subnet_id: required(request, "SubnetId")?,
            description: request.text("Description"),
            private_ip_address: request.text("PrivateIpAddress"),
            groups: request.texts("GroupSet"),
            tag_specifications: tagged(request, &kinds::NETWORK_INTERFACE),
            client_token: Some(request.token.clone()),
            ..Default::default()
        };
        let made = cx.call(new).await?.network_interface;
        let id = made.and_then(|i| i.network_interface_id).ok_or_else(|| lacks("NetworkInterfaceId"))?;
        set_source_dest_check(cx, &id, request).await?;
        Ok(id)
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        let network_interface_id = id.to_owned();
        if request.changed("Description") {
            let value = Some(request.text("Description").unwrap_or_else(String::new));
            cx.call(ModifyNetworkInterfaceAttributeRequest {
                network_interface_id: network_interface_id.clone(),
                description: Some(AttributeValue { value }),
                ..Default::default()
            })
            .await?;
        }
        if request.changed("GroupSet") {
            let groups = request.texts("GroupSet");
            if groups.is_empty() {
                return Err(Error::not_built("taking GroupSet away from an AWS::EC2::NetworkInterface"));
            }
            cx.call(ModifyNetworkInterfaceAttributeRequest { network_interface_id, groups, ..Default::default() })
                .await?;
        }
        set_source_dest_check(cx, id, request).await?;
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let network_interface_id = id.to_owned();
        deleted(cx.call(DeleteNetworkInterfaceRequest { network_interface_id, ..Default::default() }).await)
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let network_interface_ids = vec![id.to_owned()];
        let look = DescribeNetworkInterfacesRequest { network_interface_ids, ..Default::default() };
        let found = cx.call(look).await?.network_interfaces.into_iter().next().ok_or_else(|| lacks("the interface"))?;
        Ok(BTreeMap::from([
            ("Id".to_owned(), json!(id)),
            ("PrimaryPrivateIpAddress".to_owned(), json!(found.private_ip_address)),
            ("SecondaryPrivateIpAddresses".to_owned(), json!([])),
            ("VpcId".to_owned(), json!(found.vpc_id)),
        ]))
    }
}
