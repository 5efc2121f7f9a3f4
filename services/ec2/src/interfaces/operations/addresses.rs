//! Elastic IP addresses. They are names inside Kiln: the address is taken from blocks that never
//! reach the internet, and no packet is sent to it.

use crate::defaults::ensure_defaults;
use crate::errors::{invalid_combination, invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, maybe, one};
use crate::instances::records::{Instance, InstanceState};
use crate::instances::targets::INSTANCE;
use crate::interfaces::allocation::{InterfaceAllocator, of_instance, several};
use crate::interfaces::asked::address;
use crate::interfaces::association::{associate, disassociate};
use crate::interfaces::records::{Address, NetworkInterface};
use crate::interfaces::targets::{ADDRESS, NETWORK_INTERFACE};
use crate::kinds;
use crate::lookup::{need, page};
use crate::networks::records::{InternetGateway, Vpc};
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AddressAttribute, AllocateAddressRequest, AllocateAddressResponse, AssociateAddressRequest,
    AssociateAddressResponse, DescribeAddressesAttributeRequest, DescribeAddressesAttributeResponse,
    DescribeAddressesRequest, DescribeAddressesResponse, DisassociateAddressRequest, DisassociateAddressResponse,
    ReleaseAddressRequest, ReleaseAddressResponse,
};
use kiln_ids::AllocationId;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(AllocateAddress: allocate_address(AllocateAddressRequest), on things![makes ADDRESS]),
    operation!(AssociateAddress: associate_address(AssociateAddressRequest),
        on things![ADDRESS allocation_id, ADDRESS public_ip, INSTANCE instance_id, NETWORK_INTERFACE network_interface_id]),
    operation!(DescribeAddresses: describe_addresses(DescribeAddressesRequest), on everything),
    operation!(DescribeAddressesAttribute: describe_addresses_attribute(DescribeAddressesAttributeRequest),
        on everything),
    operation!(DisassociateAddress: disassociate_address(DisassociateAddressRequest),
        on things![ADDRESS association_id, ADDRESS public_ip]),
    operation!(ReleaseAddress: release_address(ReleaseAddressRequest),
        on things![ADDRESS allocation_id, ADDRESS public_ip]),
];

async fn allocate_address(cx: &Cx, request: AllocateAddressRequest) -> Result<AllocateAddressResponse, Error> {
    refuse(
        "AllocateAddress",
        &[
            ("Domain standard", request.domain.as_deref() == Some("standard")),
            ("Address", request.address.is_some()),
            ("PublicIpv4Pool", request.public_ipv4_pool.as_deref().is_some_and(|pool| pool != "amazon")),
            ("CustomerOwnedIpv4Pool", request.customer_owned_ipv4_pool.is_some()),
            ("IpamPoolId", request.ipam_pool_id.is_some()),
        ],
    )?;
    check_border_group(cx, request.network_border_group.as_deref())?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::ADDRESS)?;
    let made = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let id = AllocationId::new(cx.ids());
            let ip = InterfaceAllocator::new().public_ip(tx, &id)?;
            let made = Address { id, ip, association: None, tags };
            tx.put(cx.scope(), &made.id, made.clone())?;
            Ok(made)
        })
        .await?;
    Ok(AllocateAddressResponse {
        allocation_id: Some(made.id.to_string()),
        public_ipv4_pool: Some("amazon".to_owned()),
        network_border_group: Some(cx.region().to_owned()),
        domain: Some("vpc".to_owned()),
        public_ip: Some(made.ip.to_string()),
        ..Default::default()
    })
}

/// The address that a call names by allocation or by itself.
fn named(tx: &Tx, cx: &Cx, allocation: Option<&str>, ip: Option<&str>) -> Result<Arc<Address>, Error> {
    match (allocation, ip) {
        (Some(_), Some(_)) => {
            Err(invalid_combination("You may specify public IP or allocation id, but not both in the same call"))
        }
        (Some(id), None) => need::<Address>(tx, cx.scope(), id),
        (None, Some(text)) => {
            let wanted = address(text)?;
            let of_ip = tx.by_key::<Address>(cx.scope(), "public-ip", &wanted.to_string())?;
            of_ip.into_iter().map(|(_, a)| a).next().ok_or_else(|| no_address(text))
        }
        (None, None) => Err(missing_parameter("AllocationId")),
    }
}

fn no_address(ip: &str) -> Error {
    Error::sender("InvalidAddress.NotFound", format!("Address '{ip}' not found."))
}

/// There is one border group: the region.
fn check_border_group(cx: &Cx, given: Option<&str>) -> Result<(), Error> {
    match given.filter(|group| *group != cx.region()) {
        None => Ok(()),
        Some(group) => Err(invalid_value(format!("Value ({group}) for parameter networkBorderGroup is invalid."))),
    }
}

async fn release_address(cx: &Cx, request: ReleaseAddressRequest) -> Result<ReleaseAddressResponse, Error> {
    check_border_group(cx, request.network_border_group.as_deref())?;
    cx.store()
        .write(|tx| {
            let found = named(tx, cx, request.allocation_id.as_deref(), request.public_ip.as_deref())?;
            if let Some((_, holder)) = &found.association {
                let interface = tx.get::<NetworkInterface>(cx.scope(), holder)?;
                let interface = interface.filter(|interface| interface.interface_type != "nat_gateway");
                let vpc = match &interface {
                    Some(interface) => tx.get::<Vpc>(cx.scope(), &interface.vpc)?,
                    None => None,
                };
                // In the default VPC AWS takes the address from its holder by itself.
                if !vpc.is_some_and(|vpc| vpc.is_default) {
                    return Err(Error::sender("InvalidIPAddress.InUse", format!("Address {} is in use.", found.ip)));
                }
                disassociate(tx, cx.scope(), &found)?;
            }
            tx.delete::<Address>(cx.scope(), &found.id);
            Ok(())
        })
        .await?;
    Ok(ReleaseAddressResponse::default())
}

async fn associate_address(cx: &Cx, request: AssociateAddressRequest) -> Result<AssociateAddressResponse, Error> {
    let id = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let found = named(tx, cx, request.allocation_id.as_deref(), request.public_ip.as_deref())?;
            let interface = match (&request.network_interface_id, &request.instance_id) {
                (Some(id), None) => need::<NetworkInterface>(tx, cx.scope(), id)?,
                (None, Some(id)) => {
                    let instance = need::<Instance>(tx, cx.scope(), id)?;
                    let interfaces = of_instance(tx, cx.scope(), &instance)?;
                    let usable = matches!(
                        instance.state,
                        InstanceState::Pending
                            | InstanceState::Running
                            | InstanceState::Stopped
                            | InstanceState::Stopping
                    );
                    if interfaces.len() > 1 {
                        return Err(several(&instance.id));
                    }
                    interfaces.into_iter().next().filter(|_| usable).ok_or_else(|| {
                        Error::sender(
                            "InvalidInstanceID",
                            format!("The instance '{id}' is not in a valid state for this operation."),
                        )
                    })?
                }
                _ => {
                    return Err(invalid_combination(
                        "You must specify either an instance ID or a network interface ID, but not both",
                    ));
                }
            };
            let private = request.private_ip_address.as_deref().map(address).transpose()?.unwrap_or(interface.ip);
            if !interface.has(private) {
                return Err(invalid_value(format!(
                    "The private IP address {private} is not assigned to the network interface '{}'",
                    interface.id
                )));
            }
            if tx.by_key::<InternetGateway>(cx.scope(), "attachment.vpc-id", &interface.vpc)?.is_empty() {
                return Err(Error::sender(
                    "Gateway.NotAttached",
                    format!("Network {} is not attached to any internet gateway", interface.vpc),
                ));
            }
            associate(tx, cx, &found, &interface, private, request.allow_reassociation != Some(false))
        })
        .await?;
    Ok(AssociateAddressResponse { association_id: Some(id.to_string()) })
}

async fn disassociate_address(
    cx: &Cx,
    request: DisassociateAddressRequest,
) -> Result<DisassociateAddressResponse, Error> {
    cx.store()
        .write(|tx| {
            let found = match &request.association_id {
                Some(id) => {
                    kinds::ADDRESS_ASSOCIATION.check(id)?;
                    let of_id = tx.by_key::<Address>(cx.scope(), "association-id", id)?;
                    of_id.into_iter().map(|(_, a)| a).next().ok_or_else(|| kinds::ADDRESS_ASSOCIATION.none(id))?
                }
                None => named(tx, cx, None, request.public_ip.as_deref())?,
            };
            if let Some((_, holder)) = &found.association
                && let Some(interface) = tx.get::<NetworkInterface>(cx.scope(), holder)?
                && interface.interface_type == "nat_gateway"
            {
                let message = "You do not have permission to access the specified resource.";
                return Err(Error::sender("AuthFailure", message));
            }
            disassociate(tx, cx.scope(), &found)
        })
        .await?;
    Ok(DisassociateAddressResponse::default())
}

const FILTERS: &[&str] = &[
    "allocation-id",
    "association-id",
    "domain",
    "instance-id",
    "network-border-group",
    "network-interface-id",
    "network-interface-owner-id",
    "private-ip-address",
    "public-ip",
];

async fn describe_addresses(cx: &Cx, request: DescribeAddressesRequest) -> Result<DescribeAddressesResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut found = crate::lookup::selected::<Address>(cx, &request.allocation_ids)?;
    for ip in &request.public_ips {
        let wanted = address(ip)?;
        if !found.iter().any(|(_, a)| a.ip == wanted) {
            return Err(no_address(ip));
        }
    }
    let wanted = |ip: String| request.public_ips.is_empty() || request.public_ips.contains(&ip);
    found.retain(|(_, a)| wanted(a.ip.to_string()));
    let mut addresses = vec![];
    for (_, one_address) in found {
        let shown = shown(cx, &one_address)?;
        let passes = filters.accept(&one_address.tags, |name| match name {
            "allocation-id" => maybe(shown.allocation_id.as_ref()),
            "association-id" => maybe(shown.association_id.as_ref()),
            "domain" => one("vpc"),
            "instance-id" => maybe(shown.instance_id.as_ref()),
            "network-border-group" => one(cx.region()),
            "network-interface-id" => maybe(shown.network_interface_id.as_ref()),
            "network-interface-owner-id" => maybe(shown.network_interface_owner_id.as_ref()),
            "private-ip-address" => maybe(shown.private_ip_address.as_ref()),
            "public-ip" => maybe(shown.public_ip.as_ref()),
            _ => vec![],
        });
        if passes {
            addresses.push(shown);
        }
    }
    Ok(DescribeAddressesResponse { addresses })
}

fn shown(cx: &Cx, address: &Address) -> Result<shapes::Address, Error> {
    let interface = match &address.association {
        Some((_, id)) => cx.store().get::<NetworkInterface>(cx.scope(), id)?,
        None => None,
    };
    Ok(shapes::Address {
        allocation_id: Some(address.id.to_string()),
        association_id: address.association.as_ref().map(|(id, _)| id.to_string()),
        domain: Some("vpc".to_owned()),
        network_interface_id: interface.as_ref().map(|i| i.id.to_string()),
        network_interface_owner_id: interface.as_ref().map(|_| cx.account().to_owned()),
        private_ip_address: interface.as_ref().and_then(|i| i.behind(&address.id)).map(|ip| ip.to_string()),
        tags: tags::shown(&address.tags),
        public_ipv4_pool: Some("amazon".to_owned()),
        network_border_group: Some(cx.region().to_owned()),
        instance_id: interface.as_ref().and_then(|i| i.attachment.as_ref()).map(|a| a.instance.to_string()),
        public_ip: Some(address.ip.to_string()),
        ..Default::default()
    })
}

/// Reverse DNS names: none can be set, so none is shown.
async fn describe_addresses_attribute(
    cx: &Cx,
    request: DescribeAddressesAttributeRequest,
) -> Result<DescribeAddressesAttributeResponse, Error> {
    let found = crate::lookup::selected::<Address>(cx, &request.allocation_ids)?;
    let page = page(found, request.next_token.as_deref(), request.max_results)?;
    let shown = |address: &Arc<Address>| AddressAttribute {
        public_ip: Some(address.ip.to_string()),
        allocation_id: Some(address.id.to_string()),
        ptr_record: None,
        ptr_record_update: None,
    };
    Ok(DescribeAddressesAttributeResponse {
        addresses: page.items.iter().map(shown).collect(),
        next_token: page.next_token,
    })
}
