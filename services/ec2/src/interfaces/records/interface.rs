//! A network interface: an address in a subnet, and who uses it.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{
    AllocationId, AssociationId, AttachmentId, InstanceId, NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId,
};
use kiln_machines_spec::MacAddr;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: NetworkInterfaceId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: String,
    pub description: String,
    pub ip: Ipv4Addr,
    pub mac: MacAddr,
    pub groups: Vec<SecurityGroupId>,
    pub source_dest_check: bool,
    pub attachment: Option<Attachment>,
    /// The public address it answers to, if any.
    pub public: Option<PublicAddress>,
    /// Its further addresses, in the order in which they were assigned.
    #[serde(default)]
    pub secondary: Vec<SecondaryIp>,
    /// Whether it was to have a public address of its own from its launch on: it gets another when
    /// its instance is started again or its Elastic IP is taken away.
    #[serde(default)]
    pub auto_public: bool,
    /// The service that made it and alone may change it, e.g. `elasticloadbalancing.amazonaws.com`.
    pub managed_by: Option<String>,
    /// AWS's `InterfaceType`: `interface`, `nat_gateway`, …
    pub interface_type: String,
    pub created: Timestamp,
    pub tags: Tags,
}

/// Where an interface is plugged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: AttachmentId,
    pub instance: InstanceId,
    pub device_index: i32,
    pub delete_on_termination: bool,
    pub at: Timestamp,
    /// Whether the machine has it, or, at rest, will have it at its next boot.
    #[serde(default = "yes")]
    pub plugged: bool,
    /// It is to leave the machine; the attachment ends when it has.
    #[serde(default)]
    pub detaching: bool,
}

fn yes() -> bool {
    true
}

/// A further private address of an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecondaryIp {
    pub ip: Ipv4Addr,
    /// Its Elastic IP, if any.
    pub public: Option<PublicAddress>,
}

/// A public address of an interface: one of the host's loopback. Inside VPCs it is a name only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicAddress {
    pub ip: Ipv4Addr,
    /// For an Elastic IP; without, the address was given at launch and goes with the interface.
    pub elastic: Option<(AllocationId, AssociationId)>,
}

impl NetworkInterface {
    /// Whether somebody uses it: the host must know its address.
    pub fn in_use(&self) -> bool {
        self.attachment.is_some() || self.managed_by.is_some()
    }

    /// Every private address, the primary one first, with its public one.
    pub fn addresses(&self) -> impl Iterator<Item = (Ipv4Addr, Option<&PublicAddress>)> {
        let more = self.secondary.iter().map(|secondary| (secondary.ip, secondary.public.as_ref()));
        std::iter::once((self.ip, self.public.as_ref())).chain(more)
    }

    /// Whether it has the private address.
    pub fn has(&self, ip: Ipv4Addr) -> bool {
        self.addresses().any(|(own, _)| own == ip)
    }

    /// The private address that an Elastic IP leads to.
    pub fn behind(&self, allocation: &str) -> Option<Ipv4Addr> {
        let is = |public: &PublicAddress| public.elastic.as_ref().is_some_and(|(id, _)| *id == *allocation);
        self.addresses().find(|(_, public)| public.is_some_and(is)).map(|(ip, _)| ip)
    }

    /// The place for the public address of a private one; none if the interface does not have it.
    pub fn public_of(&mut self, ip: Ipv4Addr) -> Option<&mut Option<PublicAddress>> {
        if self.ip == ip {
            return Some(&mut self.public);
        }
        self.secondary.iter_mut().find(|secondary| secondary.ip == ip).map(|secondary| &mut secondary.public)
    }
}

/// The key `vpc and address`: an address is one interface's within a VPC.
pub fn address_in(vpc: &str, ip: Ipv4Addr) -> String {
    format!("{vpc}\n{ip}")
}

impl Record for NetworkInterface {
    const KIND: &'static str = kiln_ec2_shapes::kinds::NETWORK_INTERFACE;
    const KEYS: &'static [&'static str] = &[
        "vpc-id",
        "subnet-id",
        "group-id",
        "description",
        "attachment.attachment-id",
        "addresses.association.public-ip",
        "vpc and address",
    ];
    fn keys(&self) -> Keys {
        let mut keys = vec![("vpc-id", self.vpc.to_string()), ("subnet-id", self.subnet.to_string())];
        keys.extend(self.groups.iter().map(|group| ("group-id", group.to_string())));
        // Most have none; it finds those that a service made.
        keys.extend(Some(&self.description).filter(|text| !text.is_empty()).map(|text| ("description", text.clone())));
        keys.extend(self.attachment.iter().map(|attachment| ("attachment.attachment-id", attachment.id.to_string())));
        for (ip, public) in self.addresses() {
            keys.push(("vpc and address", address_in(&self.vpc, ip)));
            keys.extend(public.map(|public| ("addresses.association.public-ip", public.ip.to_string())));
        }
        keys
    }
}

impl Tagged for NetworkInterface {
    const THING: &'static Kind = &kinds::NETWORK_INTERFACE;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
