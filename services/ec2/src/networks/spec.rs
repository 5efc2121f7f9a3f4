//! From records to what the machine driver is asked for: one VPC, whole. Pure.

use crate::firewall::records::{AclEntry, AclPeer, GroupRule, NetworkAcl, RulePeer, SecurityGroup, Traffic, acl_of};
use crate::interfaces::records::{NetworkInterface, PublicAddress};
use crate::networks::records::{Destination, InternetGateway, NatGateway, Route, RouteTable, RouteTarget, Subnet, Vpc};
use crate::prefix_lists;
use kiln_machines_spec as host;
use kiln_machines_spec::{Direction, InterfaceOwner, InterfaceSpec, PortRange, Protocol, Rule, VpcSpec};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All records of one VPC.
#[derive(Debug, Clone, Default)]
pub struct VpcRecords {
    pub subnets: Vec<Arc<Subnet>>,
    pub tables: Vec<Arc<RouteTable>>,
    pub gateways: Vec<Arc<InternetGateway>>,
    pub nats: Vec<Arc<NatGateway>>,
    pub acls: Vec<Arc<NetworkAcl>>,
    pub groups: Vec<Arc<SecurityGroup>>,
    pub interfaces: Vec<Arc<NetworkInterface>>,
}

/// The VPC as it shall be on the host; none while nobody uses an address of it.
pub fn wanted(vpc: &Vpc, records: &VpcRecords) -> Option<VpcSpec> {
    let interfaces: Vec<InterfaceSpec> =
        records.interfaces.iter().filter(|i| i.in_use()).map(|i| interface(vpc, i, records)).collect();
    if interfaces.is_empty() {
        return None;
    }
    Some(VpcSpec {
        id: host::VpcId::new(vpc.id.as_str()),
        cidrs: vpc.cidrs.iter().map(|block| block.cidr).collect(),
        subnets: records
            .subnets
            .iter()
            .map(|subnet| host::SubnetSpec {
                id: host::SubnetId::new(subnet.id.as_str()),
                cidr: subnet.cidr,
                zone: host::ZoneName::new(subnet.zone.as_str()),
                internet: reaches_internet(vpc, subnet, records),
                acl: acl_of(&subnet.vpc, &subnet.id, &records.acls)
                    .filter(|acl| !acl.is_open())
                    .map(|acl| acl_spec(acl)),
            })
            .collect(),
        groups: groups(&interfaces, records),
        interfaces,
    })
}

/// A short name of a spec's whole content.
pub fn digest(spec: &VpcSpec) -> String {
    let text = serde_json::to_vec(spec).expect("a VpcSpec is plain data");
    hex::encode(Sha256::digest(text))
}

/// The route table that a subnet follows: its own, else the VPC's main one.
pub fn table_of<'a>(subnet: &Subnet, tables: &'a [Arc<RouteTable>]) -> Option<&'a Arc<RouteTable>> {
    let mut of_vpc = tables.iter().filter(|table| table.vpc == subnet.vpc);
    of_vpc.clone().find(|table| table.serves(&subnet.id)).or_else(|| of_vpc.find(|table| table.is_main()))
}

fn acl_spec(acl: &NetworkAcl) -> host::AclSpec {
    let rules = |egress: bool| {
        let mut entries: Vec<&AclEntry> = acl.entries.iter().filter(|entry| entry.egress == egress).collect();
        entries.sort_by_key(|entry| entry.number);
        entries.into_iter().filter_map(acl_rule).collect()
    };
    host::AclSpec { ingress: rules(false), egress: rules(true) }
}

/// None for a rule that no IPv4 packet can match.
fn acl_rule(entry: &AclEntry) -> Option<host::AclRule> {
    let AclPeer::Cidr(cidr) = entry.peer else { return None };
    let ports = || entry.ports.map_or(PortRange::ALL, |(from, to)| PortRange { from, to });
    let byte = |value: i16| u8::try_from(value).ok();
    let protocol = match entry.protocol {
        -1 => Protocol::All,
        6 => Protocol::Tcp { ports: ports() },
        17 => Protocol::Udp { ports: ports() },
        1 => {
            let (kind, code) = entry.icmp.unwrap_or((-1, -1));
            Protocol::Icmp { kind: byte(kind), code: byte(code) }
        }
        number => Protocol::Other { number: u8::try_from(number).ok()? },
    };
    Some(host::AclRule { allow: entry.allow, protocol, cidr })
}

/// Whether the target of a route carries packets.
pub fn is_active(vpc: &kiln_ids::VpcId, target: &RouteTarget, records: &VpcRecords) -> bool {
    match target {
        RouteTarget::InternetGateway(id) => {
            records.gateways.iter().any(|gateway| gateway.id == *id && gateway.vpc.as_ref() == Some(vpc))
        }
        RouteTarget::NatGateway(id) => records.nats.iter().any(|nat| nat.id == *id && nat.state.is_live()),
    }
}

fn reaches_internet(vpc: &Vpc, subnet: &Subnet, records: &VpcRecords) -> bool {
    let Some(table) = table_of(subnet, &records.tables) else { return false };
    let Some(route) = table.routes.iter().find(|route| route.destination == Destination::AnyV4) else { return false };
    match &route.target {
        target @ RouteTarget::InternetGateway(_) => is_active(&vpc.id, target, records),
        // A NAT gateway stands in a subnet, and that subnet must reach an internet gateway itself.
        target @ RouteTarget::NatGateway(id) => {
            is_active(&vpc.id, target, records)
                && records
                    .nats
                    .iter()
                    .find(|nat| nat.id == *id)
                    .is_some_and(|nat| has_gateway(vpc, &nat.subnet, records))
        }
    }
}

/// Whether a subnet's own way out is an internet gateway.
fn has_gateway(vpc: &Vpc, subnet: &kiln_ids::SubnetId, records: &VpcRecords) -> bool {
    let subnet = records.subnets.iter().find(|s| s.id == *subnet);
    let table = subnet.and_then(|subnet| table_of(subnet, &records.tables));
    table.is_some_and(|table| {
        table.routes.iter().any(|route| {
            route.destination == Destination::AnyV4
                && matches!(route.target, RouteTarget::InternetGateway(_))
                && is_active(&vpc.id, &route.target, records)
        })
    })
}

/// Whether the interface's subnet goes out through a NAT gateway, which has the public address.
fn behind_nat(interface: &NetworkInterface, records: &VpcRecords) -> bool {
    let subnet = records.subnets.iter().find(|subnet| subnet.id == interface.subnet);
    let table = subnet.and_then(|subnet| table_of(subnet, &records.tables));
    table.is_some_and(|table| {
        let to_nat = |route: &Route| matches!(route.target, RouteTarget::NatGateway(_));
        table.routes.iter().any(|route| route.destination == Destination::AnyV4 && to_nat(route))
    })
}

/// Whether a machine's public addresses are reached at all.
fn has_way_in(vpc: &Vpc, interface: &NetworkInterface, records: &VpcRecords) -> bool {
    interface.attachment.is_some() && has_gateway(vpc, &interface.subnet, records)
}

fn interface(vpc: &Vpc, interface: &NetworkInterface, records: &VpcRecords) -> InterfaceSpec {
    let owner = match &interface.attachment {
        Some(attachment) => InterfaceOwner::Machine { machine: host::MachineId::new(attachment.instance.as_str()) },
        None => InterfaceOwner::Router,
    };
    let behind_nat = behind_nat(interface, records);
    // The way in leads through an internet gateway, as does the way out.
    let enters = has_way_in(vpc, interface, records);
    let public = |public: Option<&PublicAddress>| public.filter(|_| enters).map(|public| public.ip);
    InterfaceSpec {
        ip: interface.ip,
        subnet: host::SubnetId::new(interface.subnet.as_str()),
        mac: interface.mac,
        owner,
        groups: interface.groups.iter().map(|id| host::GroupId::new(id.as_str())).collect(),
        source_dest_check: interface.source_dest_check,
        internet: interface.public.is_some() || behind_nat,
        public: public(interface.public.as_ref()),
        secondary: interface
            .secondary
            .iter()
            .map(|more| host::SecondaryAddress {
                ip: more.ip,
                internet: more.public.is_some() || behind_nat,
                public: public(more.public.as_ref()),
            })
            .collect(),
    }
}

/// The groups that interfaces in use have, and those their rules speak of. A group that nobody
/// uses is left out, so that changing it moves nothing on the host.
fn groups(interfaces: &[InterfaceSpec], records: &VpcRecords) -> Vec<host::SecurityGroupSpec> {
    let mut needed: BTreeSet<&str> = interfaces.iter().flat_map(|i| i.groups.iter().map(|g| g.as_str())).collect();
    for group in &records.groups {
        if interfaces.iter().any(|i| i.groups.iter().any(|g| g.as_str() == group.id.as_str())) {
            needed.extend(group.rules.iter().filter_map(|rule| match &rule.peer {
                RulePeer::Group(id) => Some(id.as_str()),
                _ => None,
            }));
        }
    }
    let known = |id: &str| records.groups.iter().any(|group| group.id == *id);
    records
        .groups
        .iter()
        .filter(|group| needed.contains(group.id.as_str()))
        .map(|group| {
            let mut rules: Vec<Rule> = group.rules.iter().flat_map(|r| rules(r, &known)).collect();
            rules.sort();
            rules.dedup();
            host::SecurityGroupSpec { id: host::GroupId::new(group.id.as_str()), rules }
        })
        .collect()
}

/// None for a rule that no IPv4 packet can match.
fn rules(rule: &GroupRule, known: &dyn Fn(&str) -> bool) -> Vec<Rule> {
    let peers = match &rule.peer {
        RulePeer::Cidr(cidr) => vec![host::Peer::Cidr { cidr: *cidr }],
        // There are no IPv6 packets, and nobody is in a group that is gone.
        RulePeer::CidrV6(_) => vec![],
        RulePeer::Group(id) if known(id) => vec![host::Peer::Group { group: host::GroupId::new(id.as_str()) }],
        RulePeer::Group(_) => vec![],
        RulePeer::PrefixList { name, .. } => {
            prefix_lists::by_name(name.clone()).entries.into_iter().map(|cidr| host::Peer::Cidr { cidr }).collect()
        }
    };
    let direction = if rule.egress { Direction::Egress } else { Direction::Ingress };
    let Some(protocol) = protocol(&rule.traffic) else { return vec![] };
    peers.into_iter().map(|peer| Rule { direction, protocol, peer }).collect()
}

/// None for a rule that no IPv4 packet can match.
fn protocol(traffic: &Traffic) -> Option<Protocol> {
    let port = |p: Option<i32>, missing: u16| p.and_then(|p| u16::try_from(p).ok()).unwrap_or(missing);
    let ports = || PortRange { from: port(traffic.from_port, 0), to: port(traffic.to_port, u16::MAX) };
    // -1, or none, means any.
    let byte = |p: Option<i32>| p.and_then(|p| u8::try_from(p).ok());
    match traffic.protocol.as_str() {
        "-1" => Some(Protocol::All),
        "tcp" => Some(Protocol::Tcp { ports: ports() }),
        "udp" => Some(Protocol::Udp { ports: ports() }),
        "icmp" => Some(Protocol::Icmp { kind: byte(traffic.from_port), code: byte(traffic.to_port) }),
        number => number.parse().ok().map(|number| Protocol::Other { number }),
    }
}
