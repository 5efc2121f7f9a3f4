//! The transaction of a launch: interfaces, volumes and instances, all or none.

use super::resolve::{PlacedInterface, Resolved};
use crate::defaults;
use crate::errors::invalid_combination;
use crate::firewall::records::SecurityGroup;
use crate::instances::records::{Instance, InstanceState, Volume, Wanted};
use crate::instances::told;
use crate::interfaces::allocation::{InterfaceAllocator, NewInterface, groups_for};
use crate::interfaces::attaching::{check_address_limit, check_interface_limit};
use crate::interfaces::records::{Attachment, NetworkInterface};
use crate::kinds;
use crate::lookup;
use crate::networks::records::Subnet;
use crate::tags::Tagged;
use kiln_ids::{AttachmentId, InstanceId, ReservationId, SecurityGroupId, VolumeId};
use kiln_service_kit::{CallerKind, Cx, Error, Tx};
use std::sync::Arc;

/// A place for one interface of each instance: one that exists, or where new ones go.
struct Spot<'a> {
    place: &'a PlacedInterface,
    taken: Option<Arc<NetworkInterface>>,
    subnet: Arc<Subnet>,
    groups: Vec<SecurityGroupId>,
}

/// Makes the instances of one launch; they share a reservation.
pub fn make(tx: &mut Tx, cx: &Cx, launch: &Resolved) -> Result<Vec<Instance>, Error> {
    let spots = spots(tx, cx, launch)?;
    let reservation = ReservationId::new(cx.ids());
    let mut allocator = InterfaceAllocator::new();
    let mut made = vec![];
    for index in 0..launch.max {
        let id = InstanceId::new(cx.ids());
        let mut interfaces = vec![];
        for spot in &spots {
            match interface(tx, cx, launch, &mut allocator, &id, spot, spots.len() == 1) {
                Ok(interface) => interfaces.push(interface),
                // As many as there is room for, when that is enough.
                Err(error) if error.is("InsufficientFreeAddressesInSubnet") && index >= launch.min => {
                    for interface in &interfaces {
                        tx.delete::<NetworkInterface>(cx.scope(), &interface.id);
                    }
                    return Ok(made);
                }
                Err(error) => return Err(error),
            }
        }
        let subnet = &spots[0].subnet;
        let volume = volume(tx, cx, launch, &id, subnet)?;
        let instance = instance(tx, cx, launch, id, index, &reservation, subnet, &interfaces, &volume);
        instance.check_tags()?;
        tx.put(cx.scope(), &instance.id.clone(), instance.clone())?;
        told::state(tx, cx, None, &instance)?;
        made.push(instance);
    }
    Ok(made)
}

fn spots<'a>(tx: &Tx, cx: &Cx, launch: &'a Resolved) -> Result<Vec<Spot<'a>>, Error> {
    let mut zone = launch.place.zone.clone();
    let mut spots: Vec<Spot<'a>> = vec![];
    for place in &launch.place.interfaces {
        let taken = match &place.interface {
            Some(id) => Some(free_interface(tx, cx, id)?),
            None => None,
        };
        let subnet = match &taken {
            Some(interface) => lookup::need::<Subnet>(tx, cx.scope(), &interface.subnet)?,
            None => subnet_of(tx, cx, place, zone.as_deref())?,
        };
        if let Some(first) = spots.first() {
            if first.subnet.zone != subnet.zone {
                return Err(invalid_combination(
                    "You may not attach a network interface to an instance if they are not in the same availability zone",
                ));
            }
            if first.subnet.vpc != subnet.vpc {
                return Err(invalid_combination("Network interfaces of one launch must be in the same VPC."));
            }
        }
        if let Some(zone) = zone.as_ref().filter(|zone| **zone != subnet.zone) {
            return Err(crate::errors::invalid_value(format!(
                "The availability zone '{zone}' is not that of the subnet '{}': {}.",
                subnet.id, subnet.zone
            )));
        }
        zone = Some(subnet.zone.clone());
        let groups = match &taken {
            Some(interface) => interface.groups.clone(),
            None => groups_of(tx, cx, place, &subnet)?,
        };
        let addresses = match &taken {
            Some(interface) => interface.addresses().count(),
            None => 1 + place.addresses.secondary.len() + place.addresses.more,
        };
        check_address_limit(&launch.instance_type, addresses)?;
        spots.push(Spot { place, taken, subnet, groups });
    }
    check_interface_limit(&launch.instance_type, spots.len())?;
    Ok(spots)
}

/// Makes one interface of an instance, or gives it one that exists.
fn interface(
    tx: &mut Tx,
    cx: &Cx,
    launch: &Resolved,
    allocator: &mut InterfaceAllocator,
    instance: &InstanceId,
    spot: &Spot<'_>,
    alone: bool,
) -> Result<NetworkInterface, Error> {
    let Spot { place, taken, subnet, groups } = spot;
    let attachment = Attachment {
        id: AttachmentId::new(cx.ids()),
        instance: instance.clone(),
        device_index: place.device_index,
        delete_on_termination: place.delete,
        at: tx.now(),
        // The first one is there as soon as the machine is.
        plugged: place.device_index == 0,
        detaching: false,
    };
    if let Some(interface) = taken {
        let mut interface = NetworkInterface::clone(interface);
        interface.attachment = Some(attachment);
        tx.put(cx.scope(), &interface.id.clone(), interface.clone())?;
        return Ok(interface);
    }
    let new = NewInterface {
        addresses: place.addresses.clone(),
        description: place.description.clone(),
        attachment: Some(attachment),
        // An instance with several interfaces gets no public address by its subnet's habit.
        public: place.public_ip.unwrap_or(alone && subnet.map_public_ip_on_launch),
        tags: launch.interface_tags.clone(),
        ..NewInterface::of(subnet, groups.clone())
    };
    allocator.allocate(tx, cx, new)
}

fn volume(tx: &mut Tx, cx: &Cx, launch: &Resolved, id: &InstanceId, subnet: &Subnet) -> Result<Volume, Error> {
    let volume = Volume {
        id: VolumeId::new(cx.ids()),
        instance: id.clone(),
        device: launch.image.root_device.clone(),
        delete_on_termination: true,
        snapshot: launch.image.snapshot.clone(),
        size_gib: launch.root.size_gib,
        volume_type: launch.root.volume_type.clone(),
        iops: launch.root.iops,
        throughput: launch.root.throughput,
        zone: subnet.zone.clone(),
        created: tx.now(),
        attached: tx.now(),
        tags: launch.volume_tags.clone(),
    };
    tx.put(cx.scope(), &volume.id.clone(), volume.clone())?;
    Ok(volume)
}

#[allow(clippy::too_many_arguments)]
fn instance(
    tx: &Tx,
    cx: &Cx,
    launch: &Resolved,
    id: InstanceId,
    index: i32,
    reservation: &ReservationId,
    subnet: &Subnet,
    interfaces: &[NetworkInterface],
    volume: &Volume,
) -> Instance {
    let (interface, more) = interfaces.split_first().expect("a launch has a place for one interface at least");
    let mut options = launch.options.clone();
    if !launch.dns_options_given {
        options.hostname_type = subnet.hostname_type.clone();
        options.resource_name_dns_a |= subnet.resource_name_dns_a;
    }
    Instance {
        id,
        reservation: reservation.clone(),
        requester: match &cx.caller().kind {
            CallerKind::Service { name } => Some(name.clone()),
            _ => None,
        },
        launch_index: index,
        client_token: launch.client_token.clone(),
        image: launch.image.id.clone(),
        machine_image: launch.machine_image.clone(),
        architecture: launch.image.architecture.clone(),
        instance_type: launch.instance_type.name(),
        key_name: launch.key_name.clone(),
        ssh_keys: launch.ssh_keys.clone(),
        user_data: launch.user_data.clone(),
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        zone: subnet.zone.clone(),
        ip: interface.ip,
        mac: interface.mac,
        interface: interface.id.clone(),
        more_interfaces: more.iter().map(|interface| interface.id.clone()).collect(),
        volume: volume.id.clone(),
        root_device: volume.device.clone(),
        profile: launch.profile.clone().map(|mut profile| {
            profile.association = format!("iip-assoc-{}", cx.ids().hex(17));
            profile
        }),
        options,
        metadata: launch.metadata.clone(),
        wanted: Wanted::Running,
        state: InstanceState::Pending,
        state_since: tx.now(),
        transition_reason: String::new(),
        reason: None,
        impaired: None,
        launched: false,
        boots: 0,
        reboot_wanted: false,
        skip_os_shutdown: false,
        launch_failures: 0,
        last_failure: None,
        last_reason: None,
        retry_at: None,
        captured_by: None,
        launch_time: tx.now(),
        tags: launch.instance_tags.clone(),
    }
}

/// An interface that nobody uses.
fn free_interface(tx: &Tx, cx: &Cx, id: &str) -> Result<Arc<NetworkInterface>, Error> {
    let interface = lookup::need::<NetworkInterface>(tx, cx.scope(), id)?;
    if interface.in_use() {
        return Err(Error::sender("InvalidNetworkInterface.InUse", format!("Interface: [{id}] in use.")));
    }
    Ok(interface)
}

/// The subnet named, or the default one of the zone (of the first zone that has one).
fn subnet_of(tx: &Tx, cx: &Cx, place: &PlacedInterface, zone: Option<&str>) -> Result<Arc<Subnet>, Error> {
    if let Some(id) = &place.subnet {
        if !place.group_names.is_empty() {
            return Err(invalid_combination("The parameter groupName cannot be used with the parameter subnet"));
        }
        return lookup::need::<Subnet>(tx, cx.scope(), id);
    }
    let vpc = match place.groups.first() {
        // Groups by id say which VPC is meant; it must be the default one to have default subnets.
        Some(id) => {
            let group = lookup::need::<SecurityGroup>(tx, cx.scope(), id)?;
            group.vpc.clone()
        }
        None => defaults::default_vpc(tx, cx)?.ok_or_else(defaults::no_default_vpc)?.id.clone(),
    };
    let mut subnets: Vec<Arc<Subnet>> = tx
        .by_key::<Subnet>(cx.scope(), "vpc-id", &vpc)?
        .into_iter()
        .map(|(_, s)| s)
        .filter(|s| s.default_for_az)
        .collect();
    subnets.sort_by(|a, b| a.zone.cmp(&b.zone));
    let found = match zone {
        Some(zone) => subnets.into_iter().find(|subnet| subnet.zone == zone),
        None => subnets.into_iter().next(),
    };
    found.ok_or_else(|| {
        Error::sender("MissingInput", format!("No subnets found for the default VPC '{vpc}'. Please specify a subnet."))
    })
}

fn groups_of(tx: &Tx, cx: &Cx, place: &PlacedInterface, subnet: &Subnet) -> Result<Vec<SecurityGroupId>, Error> {
    if place.group_names.is_empty() {
        return groups_for(tx, cx.scope(), subnet, &place.groups);
    }
    let all = tx.by_key::<SecurityGroup>(cx.scope(), "vpc-id", &subnet.vpc)?;
    let mut ids = place.groups.clone();
    for name in &place.group_names {
        let found = all.iter().find(|(_, group)| group.name == *name);
        let (id, _) = found.ok_or_else(|| {
            Error::sender(
                kinds::SECURITY_GROUP.not_found,
                format!("The security group '{name}' does not exist in VPC '{}'", subnet.vpc),
            )
        })?;
        ids.push(id.to_string());
    }
    groups_for(tx, cx.scope(), subnet, &ids)
}
