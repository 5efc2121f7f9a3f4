//! The private addresses of network interfaces, beside their first ones. Machines get them at once:
//! the network and the instance controller look at each change of an interface.

use crate::errors::{invalid_combination, invalid_value, refuse};
use crate::instance_types;
use crate::instances::records::Instance;
use crate::interfaces::allocation::{InterfaceAllocator, WantedAddresses};
use crate::interfaces::asked::address;
use crate::interfaces::association::disassociate;
use crate::interfaces::attaching::check_address_limit;
use crate::interfaces::owner::check_owner;
use crate::interfaces::records::{Address, NetworkInterface, SecondaryIp, address_in};
use crate::interfaces::targets::NETWORK_INTERFACE;
use crate::lookup::need;
use crate::networks::records::Subnet;
use crate::targets::things;
use kiln_ec2_shapes::{
    AssignPrivateIpAddressesRequest, AssignPrivateIpAddressesResponse, AssignedPrivateIpAddress,
    UnassignPrivateIpAddressesRequest, UnassignPrivateIpAddressesResponse,
};
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::net::Ipv4Addr;

pub const OPERATIONS: &[Operation] = &[
    operation!(AssignPrivateIpAddresses: assign_private_ip_addresses(AssignPrivateIpAddressesRequest),
        on things![NETWORK_INTERFACE network_interface_id]),
    operation!(UnassignPrivateIpAddresses: unassign_private_ip_addresses(UnassignPrivateIpAddressesRequest),
        on things![NETWORK_INTERFACE network_interface_id]),
];

async fn assign_private_ip_addresses(
    cx: &Cx,
    request: AssignPrivateIpAddressesRequest,
) -> Result<AssignPrivateIpAddressesResponse, Error> {
    refuse(
        "AssignPrivateIpAddresses",
        &[
            ("Ipv4Prefixes", !request.ipv4_prefixes.is_empty()),
            ("Ipv4PrefixCount", request.ipv4_prefix_count.is_some_and(|n| n > 0)),
        ],
    )?;
    let mut listed = vec![];
    for text in &request.private_ip_addresses {
        let ip = address(text)?;
        if listed.contains(&ip) {
            return Err(invalid_value(format!("The address {ip} is named twice.")));
        }
        listed.push(ip);
    }
    let more = request.secondary_private_ip_address_count.unwrap_or(0);
    if listed.is_empty() == (more <= 0) {
        return Err(invalid_combination(
            "You must specify either privateIpAddresses or a secondaryPrivateIpAddressCount greater than 0, but not both",
        ));
    }
    let may_move = request.allow_reassignment == Some(true);
    let (id, assigned) = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let found = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            check_owner(cx, &found)?;
            let subnet = need::<Subnet>(tx, cx.scope(), &found.subnet)?;
            let new: Vec<Ipv4Addr> = listed.iter().copied().filter(|ip| !found.has(*ip)).collect();
            let count = usize::try_from(more).unwrap_or(0);
            if let Some(attachment) = &found.attachment
                && let Some(instance) = tx.get::<Instance>(cx.scope(), &attachment.instance)?
                && let Some(kind) = instance_types::find(&instance.instance_type)
            {
                check_address_limit(&kind, found.addresses().count() + new.len() + count)?;
            }
            let mut interface = NetworkInterface::clone(&found);
            let mut free = vec![];
            for ip in new {
                match holder(tx, cx, &subnet, ip)? {
                    None => free.push(ip),
                    Some(other) => {
                        let moved = take(tx, cx, &other, ip, &interface, may_move)?;
                        interface.secondary.push(moved);
                    }
                }
            }
            let wanted = WantedAddresses { primary: None, secondary: free, more: count };
            let taken = InterfaceAllocator::new().secondary(tx, cx, &subnet, &wanted)?;
            let assigned = if listed.is_empty() { taken.clone() } else { listed.clone() };
            interface.secondary.extend(taken.into_iter().map(|ip| SecondaryIp { ip, public: None }));
            tx.put_if_changed(cx.scope(), &found.id, interface)?;
            Ok((found.id.to_string(), assigned))
        })
        .await?;
    let shown = |ip: &Ipv4Addr| AssignedPrivateIpAddress { private_ip_address: Some(ip.to_string()) };
    Ok(AssignPrivateIpAddressesResponse {
        network_interface_id: Some(id),
        assigned_private_ip_addresses: assigned.iter().map(shown).collect(),
        ..Default::default()
    })
}

/// Who has an address of the subnet.
fn holder(tx: &Tx, cx: &Cx, subnet: &Subnet, ip: Ipv4Addr) -> Result<Option<NetworkInterface>, Error> {
    let all = tx.by_key::<NetworkInterface>(cx.scope(), "vpc and address", &address_in(&subnet.vpc, ip))?;
    Ok(all.first().map(|(_, interface)| NetworkInterface::clone(interface)))
}

/// Takes a further address from its interface; its Elastic IP moves with it.
fn take(
    tx: &mut Tx,
    cx: &Cx,
    from: &NetworkInterface,
    ip: Ipv4Addr,
    to: &NetworkInterface,
    may_move: bool,
) -> Result<SecondaryIp, Error> {
    if !may_move {
        return Err(invalid_value(format!("[{ip}] is assigned, but move is not allowed.")));
    }
    let Some(at) = from.secondary.iter().position(|secondary| secondary.ip == ip) else {
        return Err(invalid_value(format!("[{ip}] is a primary private IP address and cannot be reassigned.")));
    };
    check_owner(cx, from)?;
    let mut from = from.clone();
    let moved = from.secondary.remove(at);
    if let Some((allocation, association)) = moved.public.as_ref().and_then(|public| public.elastic.as_ref()) {
        let mut address = Address::clone(&*need::<Address>(tx, cx.scope(), allocation)?);
        address.association = Some((association.clone(), to.id.clone()));
        tx.put(cx.scope(), &address.id.clone(), address)?;
    }
    tx.put(cx.scope(), &from.id.clone(), from)?;
    Ok(moved)
}

async fn unassign_private_ip_addresses(
    cx: &Cx,
    request: UnassignPrivateIpAddressesRequest,
) -> Result<UnassignPrivateIpAddressesResponse, Error> {
    refuse("UnassignPrivateIpAddresses", &[("Ipv4Prefixes", !request.ipv4_prefixes.is_empty())])?;
    let ips = request.private_ip_addresses.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let found = need::<NetworkInterface>(tx, cx.scope(), &request.network_interface_id)?;
            check_owner(cx, &found)?;
            if ips.contains(&found.ip) {
                return Err(invalid_value(format!(
                    "[{}] is a primary private IP address and cannot be unassigned.",
                    found.ip
                )));
            }
            let strange: Vec<String> = ips.iter().filter(|ip| !found.has(**ip)).map(ToString::to_string).collect();
            if !strange.is_empty() {
                return Err(invalid_value(format!(
                    "Some of [{}] are not assigned to interface {}",
                    strange.join(", "),
                    found.id
                )));
            }
            for secondary in found.secondary.iter().filter(|secondary| ips.contains(&secondary.ip)) {
                if let Some((allocation, _)) = secondary.public.as_ref().and_then(|public| public.elastic.as_ref()) {
                    let address = need::<Address>(tx, cx.scope(), allocation)?;
                    disassociate(tx, cx.scope(), &address)?;
                }
            }
            let mut interface = NetworkInterface::clone(&*need::<NetworkInterface>(tx, cx.scope(), &found.id)?);
            interface.secondary.retain(|secondary| !ips.contains(&secondary.ip));
            tx.put_if_changed(cx.scope(), &found.id, interface)?;
            Ok(())
        })
        .await?;
    Ok(UnassignPrivateIpAddressesResponse::default())
}
