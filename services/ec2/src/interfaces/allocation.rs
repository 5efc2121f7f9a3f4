//! Giving out addresses: private ones of a subnet, public ones of all of Kiln, and the interfaces
//! that hold them. Used by CreateNetworkInterface, RunInstances and CreateNatGateway alike.
//!
//! What is taken is read from the interfaces and addresses themselves; nothing else counts them.

use crate::firewall::records::SecurityGroup;
use crate::instances::records::Instance;
use crate::interfaces::records::{Address, Attachment, NetworkInterface, PublicAddress, SecondaryIp, address_in};
use crate::networks::records::Subnet;
use crate::tags::Tags;
use kiln_ids::{NetworkInterfaceId, SecurityGroupId};
use kiln_machines_spec::MacAddr;
use kiln_service_kit::{Cx, Error, Scope, Timestamp, Tx};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Where public addresses come from: the upper half of the host's loopback, without its last
/// sixteenth. What AWS lets in from the internet is reached from the host at such an address (see
/// docs/decisions/0009-public-addresses.md). Load balancers have 127.64.0.0 to 127.127.255.254.
const PUBLIC_BASE: Ipv4Addr = Ipv4Addr::new(127, 128, 0, 0);
/// 127.128.0.0 to 127.247.255.255: 120 × 65,536.
const PUBLIC_COUNT: u32 = 120 * 65_536;

/// A place to look from for a free public address: another one for each holder and time, so that an
/// address is not given again right after it was given back, nor by two kilns of one host.
fn public_start(holder: &str, now: Timestamp) -> u32 {
    let digest = Sha256::digest(format!("{holder} {}", now.iso8601_millis()));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % PUBLIC_COUNT
}

/// How many public addresses there are: of each 256, the first and the last are nobody's.
pub fn public_addresses() -> u32 {
    PUBLIC_COUNT / 256 * 254
}

/// An interface to be made.
pub struct NewInterface<'a> {
    pub subnet: &'a Subnet,
    pub groups: Vec<SecurityGroupId>,
    /// Certain addresses, or any free ones.
    pub addresses: WantedAddresses,
    pub description: String,
    pub source_dest_check: bool,
    pub attachment: Option<Attachment>,
    /// Whether it is given a public address of its own.
    pub public: bool,
    pub managed_by: Option<String>,
    pub interface_type: &'static str,
    pub tags: Tags,
}

/// The private addresses that an interface is to have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WantedAddresses {
    /// A certain one, or any.
    pub primary: Option<Ipv4Addr>,
    pub secondary: Vec<Ipv4Addr>,
    /// So many more, whichever are free.
    pub more: usize,
}

impl<'a> NewInterface<'a> {
    /// An ordinary interface with nothing special.
    pub fn of(subnet: &'a Subnet, groups: Vec<SecurityGroupId>) -> Self {
        Self {
            subnet,
            groups,
            addresses: WantedAddresses::default(),
            description: String::new(),
            source_dest_check: true,
            attachment: None,
            public: false,
            managed_by: None,
            interface_type: "interface",
            tags: Tags::new(),
        }
    }
}

/// Knows which addresses are taken; for calls that make many interfaces in one transaction.
#[derive(Default)]
pub struct InterfaceAllocator {
    /// Given to interfaces that may not be kept yet: private ones by subnet, and public ones.
    private: BTreeSet<(String, Ipv4Addr)>,
    public: BTreeSet<Ipv4Addr>,
}

impl InterfaceAllocator {
    /// One that has given nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one interface and keeps it.
    pub fn allocate(&mut self, tx: &mut Tx, cx: &Cx, new: NewInterface<'_>) -> Result<NetworkInterface, Error> {
        let ip = self.private_ip(tx, cx, new.subnet, new.addresses.primary)?;
        let secondary = self.secondary(tx, cx, new.subnet, &new.addresses)?;
        let id = NetworkInterfaceId::new(cx.ids());
        let public = match new.public {
            true => Some(PublicAddress { ip: self.public_ip(tx, &id)?, elastic: None }),
            false => None,
        };
        let interface = NetworkInterface {
            id,
            vpc: new.subnet.vpc.clone(),
            subnet: new.subnet.id.clone(),
            zone: new.subnet.zone.clone(),
            description: new.description,
            ip,
            mac: MacAddr::from_ip(ip),
            groups: new.groups,
            source_dest_check: new.source_dest_check,
            attachment: new.attachment,
            public,
            secondary: secondary.into_iter().map(|ip| SecondaryIp { ip, public: None }).collect(),
            auto_public: new.public,
            managed_by: new.managed_by,
            interface_type: new.interface_type.to_owned(),
            created: tx.now(),
            tags: new.tags,
        };
        tx.put(cx.scope(), &interface.id, interface.clone())?;
        Ok(interface)
    }

    /// Takes the further addresses.
    pub fn secondary(
        &mut self,
        tx: &Tx,
        cx: &Cx,
        subnet: &Subnet,
        wanted: &WantedAddresses,
    ) -> Result<Vec<Ipv4Addr>, Error> {
        let mut taken = vec![];
        for ip in &wanted.secondary {
            taken.push(self.private_ip(tx, cx, subnet, Some(*ip))?);
        }
        for _ in 0..wanted.more {
            taken.push(self.private_ip(tx, cx, subnet, None)?);
        }
        Ok(taken)
    }

    /// A free address of the subnet. Any means: the next free one after a random start, so that an
    /// address is not given again right after its machine has gone.
    fn private_ip(&mut self, tx: &Tx, cx: &Cx, subnet: &Subnet, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Error> {
        let is_taken = |ip: Ipv4Addr| -> Result<bool, Error> {
            let given = self.private.contains(&(subnet.id.to_string(), ip));
            let key = address_in(&subnet.vpc, ip);
            Ok(given || !tx.by_key::<NetworkInterface>(cx.scope(), "vpc and address", &key)?.is_empty())
        };
        let ip = match wanted {
            Some(ip) if !subnet.may_give(ip) => {
                return Err(Error::sender(
                    "InvalidParameterValue",
                    format!("Address {ip} does not fall within the subnet's address range"),
                ));
            }
            Some(ip) if is_taken(ip)? => {
                return Err(Error::sender("InvalidIPAddress.InUse", format!("Address {ip} is in use.")));
            }
            Some(ip) => ip,
            None => {
                let usable = subnet.usable();
                let start = cx.ids().below(usable.into()) as u32;
                let mut free = None;
                for ip in (0..usable).map(|n| subnet.usable_address((start + n) % usable)) {
                    if !is_taken(ip)? {
                        free = Some(ip);
                        break;
                    }
                }
                free.ok_or_else(|| {
                    Error::sender(
                        "InsufficientFreeAddressesInSubnet",
                        format!(
                            "The specified subnet '{}' does not have enough free addresses to satisfy the request.",
                            subnet.id
                        ),
                    )
                })?
            }
        };
        self.private.insert((subnet.id.to_string(), ip));
        Ok(ip)
    }

    /// A public address that nobody in any account or region has, for that interface or allocation.
    pub fn public_ip(&mut self, tx: &Tx, holder: &str) -> Result<Ipv4Addr, Error> {
        let start = public_start(holder, tx.now());
        let all = (0..PUBLIC_COUNT).map(|n| Ipv4Addr::from(u32::from(PUBLIC_BASE) + (start + n) % PUBLIC_COUNT));
        // Addresses that look like a network's or a broadcast are nobody's.
        for ip in all.filter(|ip| !matches!(ip.octets()[3], 0 | 255)) {
            let text = ip.to_string();
            let held = tx.by_key_everywhere::<NetworkInterface>("addresses.association.public-ip", &text)?;
            let kept = tx.by_key_everywhere::<Address>("public-ip", &text)?;
            if held.is_empty() && kept.is_empty() && self.public.insert(ip) {
                return Ok(ip);
            }
        }
        let text = "There are not enough free public addresses.";
        Err(Error::sender("InsufficientAddressCapacity", text).with_status(503))
    }
}

/// Makes one interface and keeps it.
pub fn allocate_interface(tx: &mut Tx, cx: &Cx, new: NewInterface<'_>) -> Result<NetworkInterface, Error> {
    InterfaceAllocator::new().allocate(tx, cx, new)
}

/// Removes an interface; an Elastic IP it had stays allocated. Fine if it is gone.
pub fn release_interface(tx: &mut Tx, scope: &Scope, id: &str) -> Result<(), Error> {
    if let Some(interface) = tx.get::<NetworkInterface>(scope, id)? {
        drop_elastic(tx, scope, &interface)?;
        tx.delete::<NetworkInterface>(scope, id);
    }
    Ok(())
}

/// A stopped instance's interface gives its own public address back, as on AWS; an Elastic IP stays.
pub fn release_public(tx: &mut Tx, scope: &Scope, id: &str) -> Result<(), Error> {
    let Some(interface) = tx.get::<NetworkInterface>(scope, id)? else { return Ok(()) };
    if interface.public.as_ref().is_none_or(|public| public.elastic.is_some()) {
        return Ok(());
    }
    Ok(tx.put(scope, id, NetworkInterface { public: None, ..NetworkInterface::clone(&interface) })?)
}

/// An interface that was to have a public address from its launch on, and has none, gets a new one.
pub fn renew_public(tx: &mut Tx, scope: &Scope, id: &str) -> Result<(), Error> {
    let Some(interface) = tx.get::<NetworkInterface>(scope, id)? else { return Ok(()) };
    if !interface.auto_public || interface.public.is_some() {
        return Ok(());
    }
    let ip = InterfaceAllocator::new().public_ip(tx, id)?;
    let public = Some(PublicAddress { ip, elastic: None });
    Ok(tx.put(scope, id, NetworkInterface { public, ..NetworkInterface::clone(&interface) })?)
}

/// What becomes of an interface when its instance is terminated: deleted, or free again.
pub fn leave_instance(tx: &mut Tx, scope: &Scope, id: &str) -> Result<(), Error> {
    let Some(interface) = tx.get::<NetworkInterface>(scope, id)? else { return Ok(()) };
    match &interface.attachment {
        Some(attachment) if attachment.delete_on_termination && !attachment.detaching => {
            release_interface(tx, scope, id)
        }
        _ => free(tx, scope, &interface),
    }
}

/// An interface that nobody uses any more; an Elastic IP stays with it, another public address goes.
pub fn free(tx: &mut Tx, scope: &Scope, interface: &NetworkInterface) -> Result<(), Error> {
    let mut free = interface.clone();
    free.attachment = None;
    free.auto_public = false;
    free.public = free.public.filter(|public| public.elastic.is_some());
    Ok(tx.put(scope, &interface.id, free)?)
}

fn drop_elastic(tx: &mut Tx, scope: &Scope, interface: &NetworkInterface) -> Result<(), Error> {
    let elastic = interface.addresses().filter_map(|(_, public)| public?.elastic.as_ref());
    for (allocation, _) in elastic {
        if let Some(address) = tx.get::<Address>(scope, allocation)? {
            tx.put(scope, allocation, Address { association: None, ..Address::clone(&address) })?;
        }
    }
    Ok(())
}

/// The interfaces of an instance, first device first.
pub fn of_instance(tx: &Tx, scope: &Scope, instance: &Instance) -> Result<Vec<Arc<NetworkInterface>>, Error> {
    let ids = std::iter::once(&instance.interface).chain(&instance.more_interfaces);
    let mut found = vec![];
    for id in ids {
        found.extend(tx.get::<NetworkInterface>(scope, id)?);
    }
    found.retain(|i| i.attachment.as_ref().is_some_and(|a| a.instance == instance.id));
    found.sort_by_key(|i| i.attachment.as_ref().map(|a| a.device_index));
    Ok(found)
}

/// An operation on the one interface of an instance that has several.
pub fn several(instance: &str) -> Error {
    Error::sender(
        "InvalidInstanceID",
        format!(
            "There are multiple interfaces attached to instance '{instance}'. \
             Please specify an interface ID for the operation instead."
        ),
    )
}

/// The groups a new interface gets: those named by id, all of the subnet's VPC, or its default one.
pub fn groups_for(tx: &Tx, scope: &Scope, subnet: &Subnet, ids: &[String]) -> Result<Vec<SecurityGroupId>, Error> {
    if ids.is_empty() {
        let groups = tx.by_key::<SecurityGroup>(scope, "vpc-id", &subnet.vpc)?;
        let default = groups.iter().find(|(_, g)| g.name == "default");
        return match default {
            Some((_, group)) => Ok(vec![group.id.clone()]),
            None => Err(Error::internal(format!("{} has no default security group", subnet.vpc))),
        };
    }
    let mut groups = Vec::with_capacity(ids.len());
    for id in ids {
        let group = crate::lookup::need::<SecurityGroup>(tx, scope, id)?;
        if group.vpc != subnet.vpc {
            return Err(Error::sender(
                "InvalidParameter",
                format!("Security group {id} and subnet {} belong to different networks.", subnet.id),
            ));
        }
        if !groups.contains(&group.id) {
            groups.push(group.id.clone());
        }
    }
    if groups.len() > 16 {
        return Err(Error::sender(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "You have exceeded the maximum number of security groups allowed per network interface.",
        ));
    }
    Ok(groups)
}

/// How many addresses of a subnet are free.
pub fn free_addresses(cx: &Cx, subnet: &Subnet) -> Result<u32, Error> {
    let interfaces = cx.store().by_key::<NetworkInterface>(cx.scope(), "subnet-id", &subnet.id)?;
    let used: usize = interfaces.iter().map(|(_, i)| i.addresses().count()).sum();
    Ok(subnet.usable().saturating_sub(u32::try_from(used).unwrap_or(u32::MAX)))
}
