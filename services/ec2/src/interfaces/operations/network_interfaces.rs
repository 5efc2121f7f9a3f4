//! Network interfaces. One made by a service (a load balancer's) is that service's own: the host
//! gives its address to Kiln itself, and nobody else may change or delete it.

use crate::defaults::ensure_defaults;
use crate::errors::{invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, flag, maybe, one};
use crate::firewall::targets::SECURITY_GROUP;
use crate::interfaces::allocation::{NewInterface, allocate_interface, groups_for, release_interface};
use crate::interfaces::asked::wanted;
use crate::interfaces::attaching::no_attachment;
use crate::interfaces::owner::{calling_service, check_owner};
use crate::interfaces::records::NetworkInterface;
use crate::interfaces::shown::{around, group_names, shown};
use crate::interfaces::targets::NETWORK_INTERFACE;
use crate::kinds;
use crate::lookup::{asked, need, page, selected};
use crate::networks::records::Subnet;
use crate::networks::targets::SUBNET;
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AttributeBooleanValue, AttributeValue, CreateNetworkInterfaceRequest, CreateNetworkInterfaceResponse,
    DeleteNetworkInterfaceRequest, DeleteNetworkInterfaceResponse, DescribeNetworkInterfaceAttributeRequest,
    DescribeNetworkInterfaceAttributeResponse, DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResponse,
    ModifyNetworkInterfaceAttributeRequest, ModifyNetworkInterfaceAttributeResponse,
    ResetNetworkInterfaceAttributeRequest, ResetNetworkInterfaceAttributeResponse,
};
use kiln_service_kit::{Cx, Error, Operation, Remembered, operation, request_hash};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateNetworkInterface: create_network_interface(CreateNetworkInterfaceRequest),
        on things![SUBNET subnet_id, SECURITY_GROUP groups, makes NETWORK_INTERFACE]),
    operation!(DeleteNetworkInterface: delete_network_interface(DeleteNetworkInterfaceRequest),
        on things![NETWORK_INTERFACE network_interface_id]),
    operation!(DescribeNetworkInterfaceAttribute: describe_network_interface_attribute(DescribeNetworkInterfaceAttributeRequest),
        on everything),
    operation!(DescribeNetworkInterfaces: describe_network_interfaces(DescribeNetworkInterfacesRequest), on everything),
    operation!(ModifyNetworkInterfaceAttribute: modify_network_interface_attribute(ModifyNetworkInterfaceAttributeRequest),
        on things![NETWORK_INTERFACE network_interface_id, SECURITY_GROUP groups]),
    operation!(ResetNetworkInterfaceAttribute: reset_network_interface_attribute(ResetNetworkInterfaceAttributeRequest),
        on things![NETWORK_INTERFACE network_interface_id]),
];

async fn create_network_interface(
    cx: &Cx,
    request: CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResponse, Error> {
    refuse(
        "CreateNetworkInterface",
        &[
            ("Ipv4Prefixes", !request.ipv4_prefixes.is_empty() || request.ipv4_prefix_count.is_some_and(|n| n > 0)),
            ("Ipv6Prefixes", !request.ipv6_prefixes.is_empty() || request.ipv6_prefix_count.is_some_and(|n| n > 0)),
            ("Ipv6Addresses", !request.ipv6_addresses.is_empty() || request.ipv6_address_count.is_some_and(|n| n > 0)),
            ("EnablePrimaryIpv6", request.enable_primary_ipv6 == Some(true)),
            ("InterfaceType", request.interface_type.as_deref().is_some_and(|t| t != "interface")),
            ("ConnectionTrackingSpecification", request.connection_tracking_specification.is_some()),
            ("Operator", request.operator.is_some()),
        ],
    )?;
    ensure_defaults(cx).await?;
    let addresses = wanted(
        request.private_ip_address.as_deref(),
        &request.private_ip_addresses,
        request.secondary_private_ip_address_count,
    )?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::NETWORK_INTERFACE)?;
    let token = request.client_token.clone();
    let hash = request_hash(&CreateNetworkInterfaceRequest { client_token: None, ..request.clone() });
    let interface = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            if let Some(token) = &token
                && let Some(id) = Remembered::find(tx, cx, "CreateNetworkInterface", token, &hash)?
                && let Some(made) = tx.get::<NetworkInterface>(cx.scope(), &id)?
            {
                return Ok(NetworkInterface::clone(&made));
            }
            let subnet = need::<Subnet>(tx, cx.scope(), &request.subnet_id)?;
            let groups = groups_for(tx, cx.scope(), &subnet, &request.groups)?;
            let new = NewInterface {
                addresses: addresses.clone(),
                description: request.description.clone().unwrap_or_default(),
                managed_by: calling_service(cx),
                tags,
                ..NewInterface::of(&subnet, groups)
            };
            let made = allocate_interface(tx, cx, new)?;
            if let Some(token) = &token {
                Remembered::keep(tx, cx, "CreateNetworkInterface", token, &hash, &made.id)?;
            }
            Ok(made)
        })
        .await?;
    let around = around(cx, &interface)?;
    let names = group_names(cx, &interface.groups)?;
    Ok(CreateNetworkInterfaceResponse {
        network_interface: Some(shown(cx, &interface, &names, &around)),
        client_token: token,
    })
}

async fn delete_network_interface(
    cx: &Cx,
    request: DeleteNetworkInterfaceRequest,
) -> Result<DeleteNetworkInterfaceResponse, Error> {
    cx.store()
        .write(|tx| {
            let interface = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            let others = interface.managed_by.is_some() && interface.managed_by != calling_service(cx);
            if interface.attachment.is_some() || others {
                return Err(invalid_value(format!("Network interface '{}' is currently in use.", interface.id)));
            }
            release_interface(tx, cx.scope(), &interface.id)
        })
        .await?;
    Ok(DeleteNetworkInterfaceResponse::default())
}

async fn modify_network_interface_attribute(
    cx: &Cx,
    request: ModifyNetworkInterfaceAttributeRequest,
) -> Result<ModifyNetworkInterfaceAttributeResponse, Error> {
    refuse(
        "ModifyNetworkInterfaceAttribute",
        &[
            ("EnaSrdSpecification", request.ena_srd_specification.is_some()),
            ("EnablePrimaryIpv6", request.enable_primary_ipv6 == Some(true)),
            ("ConnectionTrackingSpecification", request.connection_tracking_specification.is_some()),
            ("AssociatePublicIpAddress", request.associate_public_ip_address.is_some()),
            ("AssociatedSubnetIds", !request.associated_subnet_ids.is_empty()),
            (
                "Attachment.DefaultEnaQueueCount",
                request.attachment.as_ref().is_some_and(|attachment| attachment.default_ena_queue_count.is_some()),
            ),
        ],
    )?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let found = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            check_owner(cx, &found)?;
            let mut interface = NetworkInterface::clone(&found);
            if let Some(text) = request.description.as_ref().and_then(|d| d.value.clone()) {
                interface.description = text;
            }
            if let Some(check) = request.source_dest_check.as_ref().and_then(|c| c.value) {
                interface.source_dest_check = check;
            }
            if !request.groups.is_empty() {
                let subnet = need::<Subnet>(tx, cx.scope(), &interface.subnet)?;
                interface.groups = groups_for(tx, cx.scope(), &subnet, &request.groups)?;
            }
            if let Some(changes) = &request.attachment {
                let id = changes.attachment_id.as_deref().ok_or_else(|| missing_parameter("attachmentId"))?;
                match interface.attachment.as_mut().filter(|attachment| attachment.id == *id) {
                    Some(attachment) => {
                        if let Some(delete) = changes.delete_on_termination {
                            attachment.delete_on_termination = delete;
                        }
                    }
                    None => return Err(no_attachment(id)),
                }
            }
            Ok(tx.put_if_changed(cx.scope(), &request.network_interface_id, interface)?)
        })
        .await?;
    Ok(ModifyNetworkInterfaceAttributeResponse::default())
}

/// The one attribute that has a default to go back to.
async fn reset_network_interface_attribute(
    cx: &Cx,
    request: ResetNetworkInterfaceAttributeRequest,
) -> Result<ResetNetworkInterfaceAttributeResponse, Error> {
    // The only attribute there is, by its name, or by the value it gets.
    let known = ["sourceDestCheck", "true"];
    if let Some(other) = request.source_dest_check.as_deref().filter(|text| !known.contains(text)) {
        return Err(invalid_value(format!("Value ({other}) for parameter sourceDestCheck is invalid.")));
    }
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let found = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            check_owner(cx, &found)?;
            let reset = NetworkInterface { source_dest_check: true, ..NetworkInterface::clone(&found) };
            Ok(tx.put_if_changed(cx.scope(), &found.id, reset)?)
        })
        .await?;
    Ok(ResetNetworkInterfaceAttributeResponse::default())
}

async fn describe_network_interface_attribute(
    cx: &Cx,
    request: DescribeNetworkInterfaceAttributeRequest,
) -> Result<DescribeNetworkInterfaceAttributeResponse, Error> {
    let found = selected::<NetworkInterface>(cx, std::slice::from_ref(&request.network_interface_id))?.remove(0).1;
    let shown = shown(cx, &found, &group_names(cx, &found.groups)?, &around(cx, &found)?);
    let mut answer = DescribeNetworkInterfaceAttributeResponse {
        network_interface_id: shown.network_interface_id,
        ..Default::default()
    };
    match request.attribute.as_deref() {
        Some("description") => answer.description = Some(AttributeValue { value: shown.description }),
        Some("groupSet") => answer.groups = shown.groups,
        Some("sourceDestCheck") => {
            answer.source_dest_check = Some(AttributeBooleanValue { value: shown.source_dest_check })
        }
        Some("attachment") => answer.attachment = shown.attachment,
        Some("associatePublicIpAddress") => {
            answer.associate_public_ip_address = Some(found.public.as_ref().is_some_and(|p| p.elastic.is_none()))
        }
        Some(other) => return Err(invalid_value(format!("Value ({other}) for parameter attribute is invalid."))),
        None => return Err(missing_parameter("attribute")),
    }
    Ok(answer)
}

const FILTERS: &[&str] = &[
    "addresses.association.owner-id",
    "addresses.association.public-ip",
    "addresses.primary",
    "addresses.private-ip-address",
    "association.allocation-id",
    "association.association-id",
    "association.ip-owner-id",
    "association.public-dns-name",
    "association.public-ip",
    "attachment.attach-time",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "ipv6-addresses.ipv6-address",
    "mac-address",
    "network-interface-id",
    "operator.managed",
    "operator.principal",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

async fn describe_network_interfaces(
    cx: &Cx,
    request: DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut shown_all = vec![];
    for (id, interface) in
        asked::<NetworkInterface>(cx, &request.network_interface_ids, &filters, "network-interface-id")?
    {
        let shown = shown(cx, &interface, &group_names(cx, &interface.groups)?, &around(cx, &interface)?);
        if filters.accept(&interface.tags, |name| filter_value(&shown, name)) {
            shown_all.push((id, shown));
        }
    }
    let page = page(shown_all, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeNetworkInterfacesResponse { next_token: page.next_token, network_interfaces: page.items })
}

fn filter_value(i: &shapes::NetworkInterface, name: &str) -> Vec<String> {
    let association = i.association.as_ref();
    let attachment = i.attachment.as_ref();
    let addresses = &i.private_ip_addresses;
    let associations = || addresses.iter().filter_map(|a| a.association.as_ref());
    match name {
        "addresses.association.owner-id" => associations().filter_map(|a| a.ip_owner_id.clone()).collect(),
        "addresses.association.public-ip" => associations().filter_map(|a| a.public_ip.clone()).collect(),
        "addresses.primary" => addresses.iter().flat_map(|a| flag(a.primary == Some(true))).collect(),
        "addresses.private-ip-address" => addresses.iter().filter_map(|a| a.private_ip_address.clone()).collect(),
        "association.ip-owner-id" => maybe(association.and_then(|a| a.ip_owner_id.as_ref())),
        "association.public-ip" => maybe(association.and_then(|a| a.public_ip.as_ref())),
        "private-ip-address" => maybe(i.private_ip_address.as_ref()),
        "association.allocation-id" => maybe(association.and_then(|a| a.allocation_id.as_ref())),
        "association.association-id" => maybe(association.and_then(|a| a.association_id.as_ref())),
        "attachment.attach-time" => maybe(attachment.and_then(|a| a.attach_time).map(|t| t.iso8601_millis())),
        "attachment.attachment-id" => maybe(attachment.and_then(|a| a.attachment_id.as_ref())),
        "attachment.delete-on-termination" => maybe(attachment.and_then(|a| a.delete_on_termination)),
        "attachment.device-index" => maybe(attachment.and_then(|a| a.device_index)),
        "attachment.instance-id" => maybe(attachment.and_then(|a| a.instance_id.as_ref())),
        "attachment.instance-owner-id" => maybe(attachment.and_then(|a| a.instance_owner_id.as_ref())),
        "attachment.status" => maybe(attachment.and_then(|a| a.status.as_ref())),
        "association.public-dns-name" => maybe(i.association.as_ref().and_then(|a| a.public_dns_name.as_ref())),
        "availability-zone" => maybe(i.availability_zone.as_ref()),
        "availability-zone-id" => maybe(i.availability_zone_id.as_ref()),
        "description" => maybe(i.description.as_ref()),
        "group-id" => i.groups.iter().filter_map(|g| g.group_id.clone()).collect(),
        "group-name" => i.groups.iter().filter_map(|g| g.group_name.clone()).collect(),
        "interface-type" => maybe(i.interface_type.as_ref()),
        "mac-address" => maybe(i.mac_address.as_ref()),
        "network-interface-id" => maybe(i.network_interface_id.as_ref()),
        "owner-id" => maybe(i.owner_id.as_ref()),
        "private-dns-name" => maybe(i.private_dns_name.as_ref()),
        "requester-id" => maybe(i.requester_id.as_ref()),
        "requester-managed" => maybe(i.requester_managed),
        "source-dest-check" => maybe(i.source_dest_check),
        "status" => maybe(i.status.as_ref()),
        "subnet-id" => maybe(i.subnet_id.as_ref()),
        "vpc-id" => one(i.vpc_id.as_deref().unwrap_or("")),
        _ => vec![],
    }
}
