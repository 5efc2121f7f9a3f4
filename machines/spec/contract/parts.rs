//! Networks and machines as tests describe them: two subnets in two zones, a group that opens port 80.

// Each driver's tests use what they need.
#![allow(dead_code)]

use kiln_machines_spec::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub const VPC: &str = "vpc-1";

pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub fn allow(direction: Direction, protocol: Protocol, peer: Peer) -> Rule {
    Rule { direction, protocol, peer }
}

pub fn tcp(port: u16) -> Protocol {
    Protocol::Tcp { ports: PortRange::one(port) }
}

pub fn anyone() -> Peer {
    Peer::Cidr { cidr: Cidr::ANY }
}

pub fn members(group: &str) -> Peer {
    Peer::Group { group: group.into() }
}

pub fn group(id: &str, mut ingress: Vec<Rule>) -> SecurityGroupSpec {
    ingress.push(allow(Direction::Egress, Protocol::All, anyone()));
    SecurityGroupSpec { id: id.into(), rules: ingress }
}

/// Two subnets in two zones; group `web` opens port 80 to everyone.
pub fn vpc() -> VpcSpec {
    let subnet = |id: &str, cidr: &str, zone: &str| SubnetSpec {
        id: id.into(),
        cidr: cidr.parse().unwrap(),
        zone: zone.into(),
        internet: false,
        acl: None,
    };
    VpcSpec {
        id: VPC.into(),
        cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        subnets: vec![subnet("subnet-a", "10.0.1.0/24", "a"), subnet("subnet-b", "10.0.2.0/24", "b")],
        groups: vec![group("web", vec![allow(Direction::Ingress, tcp(80), anyone())]), group("closed", vec![])],
        interfaces: vec![],
    }
}

/// Adds an interface, in the subnet its address belongs to.
pub fn with(mut vpc: VpcSpec, address: &str, groups: &[&str], owner: InterfaceOwner) -> VpcSpec {
    let address = ip(address);
    let subnet = vpc.subnets.iter().find(|s| s.cidr.contains(address));
    let subnet = subnet.expect("an address of a subnet").id.clone();
    vpc.interfaces.push(InterfaceSpec {
        ip: address,
        subnet,
        mac: MacAddr::from_ip(address),
        owner,
        groups: groups.iter().map(|g| GroupId::from(*g)).collect(),
        source_dest_check: true,
        internet: true,
        public: None,
        secondary: vec![],
    });
    vpc
}

pub fn machine(id: &str) -> InterfaceOwner {
    InterfaceOwner::Machine { machine: id.into() }
}

/// A small machine at that address.
pub fn spec_of(image: &ImageId, id: &str, address: &str) -> MachineSpec {
    let address = ip(address);
    let subnets = vpc().subnets;
    let subnet = subnets.iter().find(|s| s.cidr.contains(address)).unwrap();
    MachineSpec {
        id: id.into(),
        image: image.clone(),
        entry: None,
        cpus: 1.0,
        memory_bytes: 64 << 20,
        pids_max: 64,
        disk_bytes: 1 << 30,
        hostname: format!("ip-{}", address.to_string().replace('.', "-")),
        domain: "ec2.internal".to_owned(),
        vpc: VPC.into(),
        subnet: subnet.id.clone(),
        private_ip: address,
        mac: MacAddr::from_ip(address),
        secondary_ips: vec![],
        interfaces: vec![],
        user_data: None,
        ssh_authorized_keys: vec![],
        files: vec![],
        environment: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}
