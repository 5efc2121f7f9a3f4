//! `AWS::EC2::NetworkInterface`. Ref: its id.

use crate::kinds;
use crate::modelled::modelled;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct NetworkInterfaceType;

const NAME: &str = "AWS::EC2::NetworkInterface";
const SERVED: &[&str] = &[
    "Description",
    "GroupSet",
    "PrivateIpAddress",
    "PrivateIpAddresses",
    "SecondaryPrivateIpAddressCount",
    "SourceDestCheck",
    "SubnetId",
    "Tags",
];

/// The addresses that properties list: the primary one, if it is among them, and the others.
fn listed(properties: &Json) -> (Option<String>, Vec<String>) {
    let (mut primary, mut others) = (None, vec![]);
    for one in items(properties, "PrivateIpAddresses") {
        let Some(ip) = text(one, "PrivateIpAddress") else { continue };
        match text(one, "Primary").as_deref() {
            Some("true") => primary = Some(ip),
            _ => others.push(ip),
        }
    }
    (primary, others)
}

/// Assigns and takes away addresses, until those beside the primary one are as listed and as many.
async fn set_addresses(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let (_, wanted) = listed(&request.properties);
    let count = number(&request.properties, "SecondaryPrivateIpAddressCount")?.unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(0);
    let has = secondary(&find(cx, id).await?);
    let missing: Vec<String> = wanted.iter().filter(|ip| !has.contains(ip)).cloned().collect();
    let free: Vec<String> = has.into_iter().filter(|ip| !wanted.contains(ip)).collect();
    let gone: Vec<String> = free.iter().skip(count).cloned().collect();
    let assign = AssignPrivateIpAddressesRequest { network_interface_id: id.to_owned(), ..Default::default() };
    if !gone.is_empty() {
        let network_interface_id = id.to_owned();
        let take = UnassignPrivateIpAddressesRequest {
            network_interface_id,
            private_ip_addresses: gone,
            ..Default::default()
        };
        cx.call(take).await?;
    }
    if !missing.is_empty() {
        cx.call(AssignPrivateIpAddressesRequest { private_ip_addresses: missing, ..assign.clone() }).await?;
    }
    if let more @ 1.. = count.saturating_sub(free.len()) {
        let secondary_private_ip_address_count = i32::try_from(more).ok();
        cx.call(AssignPrivateIpAddressesRequest { secondary_private_ip_address_count, ..assign }).await?;
    }
    Ok(())
}

async fn find(cx: &Cx, id: &str) -> Result<NetworkInterface, Error> {
    let network_interface_ids = vec![id.to_owned()];
    let look = DescribeNetworkInterfacesRequest { network_interface_ids, ..Default::default() };
    cx.call(look).await?.network_interfaces.into_iter().next().ok_or_else(|| lacks("the interface"))
}

fn secondary(interface: &NetworkInterface) -> Vec<String> {
    let others = interface.private_ip_addresses.iter().filter(|one| one.primary != Some(true));
    others.filter_map(|one| one.private_ip_address.clone()).collect()
}

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

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("EnablePrimaryIpv6", "false"),
            ("InterfaceType", r#""interface""#),
            ("Ipv4PrefixCount", "0"),
            ("Ipv6AddressCount", "0"),
            ("Ipv6PrefixCount", "0"),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let new = CreateNetworkInterfaceRequest {
            subnet_id: required(request, "SubnetId")?,
            description: request.text("Description"),
            private_ip_address: request.text("PrivateIpAddress"),
            private_ip_addresses: modelled(json!(items(&request.properties, "PrivateIpAddresses")))?,
            secondary_private_ip_address_count: number(&request.properties, "SecondaryPrivateIpAddressCount")?,
            groups: request.texts("GroupSet"),
            tag_specifications: tagged(request, &kinds::NETWORK_INTERFACE),
            client_token: Some(request.token.clone()),
            ..Default::default()
        };
        let made = cx.call(new).await?.network_interface;
        made.and_then(|i| i.network_interface_id).ok_or_else(|| lacks("NetworkInterfaceId"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_source_dest_check(cx, id, request).await
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        let network_interface_id = id.to_owned();
        let (primary, before) = (listed(&request.properties).0, listed(&request.previous).0);
        if primary != before {
            return Err(Error::sender("NotUpdatable", "An interface's primary private address cannot be changed."));
        }
        if request.changed("PrivateIpAddresses") || request.changed("SecondaryPrivateIpAddressCount") {
            set_addresses(cx, id, request).await?;
        }
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

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look =
            DescribeNetworkInterfacesRequest { network_interface_ids: vec![id.to_owned()], ..Default::default() };
        let interface = found(cx.call(look).await)?.and_then(|answer| answer.network_interfaces.into_iter().next());
        let read = |interface: NetworkInterface| {
            let others = secondary(&interface);
            let address = |one: NetworkInterfacePrivateIpAddress| json!({"Primary": one.primary, "PrivateIpAddress": one.private_ip_address});
            Properties::default()
                .with("Id", id)
                .with("SubnetId", interface.subnet_id)
                .with("VpcId", interface.vpc_id)
                .with("Description", interface.description.filter(|text| !text.is_empty()))
                .with_list("GroupSet", interface.groups.into_iter().filter_map(|group| group.group_id))
                .with("InterfaceType", interface.interface_type)
                .with("PrivateIpAddress", &interface.private_ip_address)
                .with("PrimaryPrivateIpAddress", &interface.private_ip_address)
                .with_list("PrivateIpAddresses", interface.private_ip_addresses.into_iter().map(address))
                .with("SecondaryPrivateIpAddressCount", others.len())
                .with_list("SecondaryPrivateIpAddresses", others)
                .with("SourceDestCheck", interface.source_dest_check)
                .with_tags(pairs(interface.tag_set))
        };
        Ok(interface.map(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = find(cx, id).await?;
        Ok(BTreeMap::from([
            ("Id".to_owned(), json!(id)),
            ("PrimaryPrivateIpAddress".to_owned(), json!(found.private_ip_address)),
            ("SecondaryPrivateIpAddresses".to_owned(), json!(secondary(&found))),
            ("VpcId".to_owned(), json!(found.vpc_id)),
        ]))
    }
}
