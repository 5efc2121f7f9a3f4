//! A network as it shall be, whole: subnets, who may talk to whom, and who sits where.
//!
//! A VPC is always described completely; the driver compares it with what there
//! is. The rules are those of AWS security groups: deny unless allowed, both
//! ends must agree, answers to an allowed connection pass.

use crate::{Cidr, GroupId, MacAddr, MachineId, SubnetId, VpcId, ZoneName};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A VPC, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcSpec {
    /// Its name.
    pub id: VpcId,
    /// Its blocks; DNS answers at the second address of the first.
    pub cidrs: Vec<Cidr>,
    /// Its subnets.
    pub subnets: Vec<SubnetSpec>,
    /// Its security groups.
    pub groups: Vec<SecurityGroupSpec>,
    /// Every address in use. An address not listed can send and receive nothing.
    pub interfaces: Vec<InterfaceSpec>,
}

impl VpcSpec {
    /// Where the VPC's DNS answers: two after the first address of its first block.
    pub fn dns_ip(&self) -> Option<Ipv4Addr> {
        self.cidrs.first().map(|cidr| cidr.nth(2))
    }
    /// Whether a machine can have this address: it is one of a host, in a subnet, none of the first
    /// four and the last, which AWS keeps (the router's and the DNS's among them), and not given to
    /// the router for a load balancer.
    pub fn can_be_a_machines(&self, ip: Ipv4Addr) -> bool {
        let holds = |s: &SubnetSpec| {
            let size = 1u64 << (32 - u32::from(s.cidr.prefix()));
            let at = u64::from(u32::from(ip) - u32::from(s.cidr.base()));
            (4..size - 1).contains(&at)
        };
        let of_a_host = !ip.is_loopback() && !ip.is_link_local() && (1..224).contains(&ip.octets()[0]);
        let routers = |i: &InterfaceSpec| i.owner == InterfaceOwner::Router && i.addresses().any(|(own, _)| own == ip);
        of_a_host
            && self.subnets.iter().filter(|s| s.cidr.contains(ip)).any(holds)
            && !self.interfaces.iter().any(routers)
    }
    /// The subnet of that name.
    pub fn subnet(&self, id: &SubnetId) -> Option<&SubnetSpec> {
        self.subnets.iter().find(|subnet| &subnet.id == id)
    }
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetSpec {
    /// Its name.
    pub id: SubnetId,
    /// Its block; its router answers at the first address after the base.
    pub cidr: Cidr,
    /// Its availability zone.
    pub zone: ZoneName,
    /// Whether its route table leads to the internet (gateway or NAT).
    pub internet: bool,
    /// What may enter and leave it; none where everything may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<AclSpec>,
}

/// A network ACL: rules without memory, asked for each packet that crosses a subnet's border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclSpec {
    /// For packets that enter, in the order in which they are asked; what none speaks of is dropped.
    pub ingress: Vec<AclRule>,
    /// For packets that leave, alike.
    pub egress: Vec<AclRule>,
}

/// A rule of a network ACL; the first that fits decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclRule {
    /// Whether such packets pass.
    pub allow: bool,
    /// Which packets, by protocol and the port they go to.
    pub protocol: Protocol,
    /// The end that is outside of the subnet.
    pub cidr: Cidr,
}

/// A security group with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupSpec {
    /// Its name.
    pub id: GroupId,
    /// What it allows.
    pub rules: Vec<Rule>,
}

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// Into or out of the group's members.
    pub direction: Direction,
    /// Which packets.
    pub protocol: Protocol,
    /// The other end.
    pub peer: Peer,
}

/// Which way a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the member.
    Ingress,
    /// Away from the member.
    Egress,
}

/// Which packets a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "protocol")]
pub enum Protocol {
    /// Every packet.
    All,
    /// TCP to these ports.
    Tcp {
        /// The ports.
        ports: PortRange,
    },
    /// UDP to these ports.
    Udp {
        /// The ports.
        ports: PortRange,
    },
    /// ICMP of this type and code; none means any.
    Icmp {
        /// The type.
        kind: Option<u8>,
        /// The code.
        code: Option<u8>,
    },
    /// Another IP protocol, by number.
    Other {
        /// The number.
        number: u8,
    },
}

/// Ports from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRange {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

impl PortRange {
    /// One port.
    pub fn one(port: u16) -> Self {
        Self { from: port, to: port }
    }
    /// Every port.
    pub const ALL: PortRange = PortRange { from: 0, to: u16::MAX };
}

/// The other end of an allowed connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "peer")]
pub enum Peer {
    /// Addresses of a block.
    Cidr {
        /// The block.
        cidr: Cidr,
    },
    /// Members of a security group of the same VPC.
    Group {
        /// The group.
        group: GroupId,
    },
}

/// An address in use in a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSpec {
    /// The address.
    pub ip: Ipv4Addr,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The hardware address.
    pub mac: MacAddr,
    /// Whose it is.
    pub owner: InterfaceOwner,
    /// Its security groups; it may do what any of them allows.
    pub groups: Vec<GroupId>,
    /// Whether packets must come from or go to this very address. False only
    /// for machines that forward other machines' packets.
    pub source_dest_check: bool,
    /// Whether it may go the way to the internet that its subnet has. Through an
    /// internet gateway that takes a public address.
    #[serde(default)]
    pub internet: bool,
    /// The public address at which it is reached from this host, one of loopback; only where its
    /// subnet has an internet gateway. Its groups say what reaches it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Ipv4Addr>,
    /// More addresses of the same interface; what its groups allow counts for them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondary: Vec<SecondaryAddress>,
}

/// A further address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondaryAddress {
    /// The address, of the interface's subnet.
    pub ip: Ipv4Addr,
    /// As [`InterfaceSpec::internet`].
    pub internet: bool,
    /// As [`InterfaceSpec::public`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Ipv4Addr>,
}

impl InterfaceSpec {
    /// Every address of it, and whether it may go the way to the internet.
    pub fn addresses(&self) -> impl Iterator<Item = (Ipv4Addr, bool)> + '_ {
        std::iter::once((self.ip, self.internet)).chain(self.secondary.iter().map(|s| (s.ip, s.internet)))
    }
    /// Its public addresses, each with the private one that it leads to.
    pub fn public_addresses(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> + '_ {
        let more = self.secondary.iter().map(|s| (s.public, s.ip));
        std::iter::once((self.public, self.ip)).chain(more).filter_map(|(public, ip)| Some((public?, ip)))
    }
    /// Whether it has the address.
    pub fn has(&self, ip: Ipv4Addr) -> bool {
        self.addresses().any(|(own, _)| own == ip)
    }
}

/// Whose an address is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "owner")]
pub enum InterfaceOwner {
    /// A machine's.
    Machine {
        /// The machine.
        machine: MachineId,
    },
    /// Kiln's own: a load balancer listens and speaks there, through
    /// `MachineDriver::listen` and `dial`.
    Router,
}
