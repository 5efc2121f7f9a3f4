//! A network interface as DescribeNetworkInterfaces shows it.

use crate::firewall::records::SecurityGroup;
use crate::interfaces::records::{NetworkInterface, PublicAddress};
use crate::names::{ip_host, private_domain, public_dns_name};
use crate::networks::records::{NetworkStatus, Vpc};
use crate::{tags, zones};
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    GroupIdentifier, NetworkInterfaceAssociation, NetworkInterfaceAttachment, NetworkInterfacePrivateIpAddress,
};
use kiln_service_kit::{Cx, Error};

/// Ids and names of groups.
pub fn group_names(cx: &Cx, ids: &[kiln_ids::SecurityGroupId]) -> Result<Vec<(String, String)>, Error> {
    let group = |id: &kiln_ids::SecurityGroupId| cx.store().get::<SecurityGroup>(cx.scope(), id);
    let names = ids.iter().filter_map(|id| group(id).transpose());
    names.map(|group| group.map(|group| (group.id.to_string(), group.name.clone())).map_err(Error::from)).collect()
}

/// Groups as interfaces and instances show them.
fn shown_groups(ids: &[kiln_ids::SecurityGroupId], names: &[(String, String)]) -> Vec<GroupIdentifier> {
    let name = |id: &str| names.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone());
    ids.iter().map(|id| GroupIdentifier { group_id: Some(id.to_string()), group_name: name(id) }).collect()
}

/// What of its VPC an interface shows.
pub struct Around {
    /// Whether packets reach it: the network controller has seen it on the host.
    applied: bool,
    /// Whether its public address has a name.
    named: bool,
}

pub fn around(cx: &Cx, interface: &NetworkInterface) -> Result<Around, Error> {
    let status = cx.store().get::<NetworkStatus>(cx.scope(), &interface.vpc)?;
    let vpc = cx.store().get::<Vpc>(cx.scope(), &interface.vpc)?;
    Ok(Around {
        applied: status.is_some_and(|status| status.interfaces.contains(interface.id.as_str())),
        named: vpc.is_some_and(|vpc| vpc.gives_public_names()),
    })
}

/// The public address of an interface as answers show it.
fn shown_association(cx: &Cx, public: &PublicAddress, named: bool) -> NetworkInterfaceAssociation {
    NetworkInterfaceAssociation {
        allocation_id: public.elastic.as_ref().map(|(allocation, _)| allocation.to_string()),
        association_id: public.elastic.as_ref().map(|(_, association)| association.to_string()),
        ip_owner_id: Some(match public.elastic {
            Some(_) => cx.account().to_owned(),
            None => "amazon".to_owned(),
        }),
        public_dns_name: Some(if named { public_dns_name(cx.region(), public.ip) } else { String::new() }),
        public_ip: Some(public.ip.to_string()),
        ..Default::default()
    }
}

pub fn shown(cx: &Cx, i: &NetworkInterface, names: &[(String, String)], around: &Around) -> shapes::NetworkInterface {
    let (plugged, detaching) = i.attachment.as_ref().map_or((true, false), |a| (a.plugged, a.detaching));
    let status = match (detaching, plugged && around.applied) {
        (true, _) => "detaching",
        (false, true) => "attached",
        (false, false) => "attaching",
    };
    let status = Some(status.to_owned());
    let attachment = match (&i.attachment, &i.managed_by) {
        (Some(attachment), _) => Some(NetworkInterfaceAttachment {
            attach_time: Some(attachment.at),
            attachment_id: Some(attachment.id.to_string()),
            delete_on_termination: Some(attachment.delete_on_termination),
            device_index: Some(attachment.device_index),
            network_card_index: Some(0),
            instance_id: Some(attachment.instance.to_string()),
            instance_owner_id: Some(cx.account().to_owned()),
            status,
            ..Default::default()
        }),
        (None, Some(service)) => Some(NetworkInterfaceAttachment {
            attach_time: Some(i.created),
            delete_on_termination: Some(false),
            device_index: Some(1),
            instance_owner_id: Some(service.clone()),
            status,
            ..Default::default()
        }),
        (None, None) => None,
    };
    let dns = |ip| format!("{}.{}", ip_host(ip), private_domain(cx.region()));
    let association = |public: &PublicAddress| shown_association(cx, public, around.named);
    shapes::NetworkInterface {
        association: i.public.as_ref().map(association),
        attachment,
        availability_zone: Some(i.zone.clone()),
        availability_zone_id: zones::zone_id(cx.region(), &i.zone),
        description: Some(i.description.clone()),
        groups: shown_groups(&i.groups, names),
        interface_type: Some(i.interface_type.clone()),
        mac_address: Some(i.mac.to_string()),
        network_interface_id: Some(i.id.to_string()),
        owner_id: Some(cx.account().to_owned()),
        private_dns_name: Some(dns(i.ip)),
        private_ip_address: Some(i.ip.to_string()),
        private_ip_addresses: i
            .addresses()
            .map(|(ip, public)| NetworkInterfacePrivateIpAddress {
                association: public.map(association),
                primary: Some(ip == i.ip),
                private_dns_name: Some(dns(ip)),
                private_ip_address: Some(ip.to_string()),
            })
            .collect(),
        requester_id: i.managed_by.clone(),
        requester_managed: Some(i.managed_by.is_some()),
        source_dest_check: Some(i.source_dest_check),
        status: Some(if i.in_use() { "in-use" } else { "available" }.to_owned()),
        subnet_id: Some(i.subnet.to_string()),
        tag_set: tags::shown(&i.tags),
        vpc_id: Some(i.vpc.to_string()),
        ..Default::default()
    }
}
