//! Whether a network's security groups let a connection through.

use kiln_machines_spec::*;
use std::net::Ipv4Addr;

/// Whether TCP from `from` to `to`:`port` is allowed: the far end's ingress, and the near end's
/// egress where the near end is an interface of the network.
pub fn allows_tcp(network: &VpcSpec, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> bool {
    let interface = |ip| network.interfaces.iter().find(|i| i.has(ip));
    let Some(target) = interface(to) else { return false };
    let inwards = passes(network, target, Direction::Ingress, from, port);
    let outwards = interface(from).is_none_or(|near| passes(network, near, Direction::Egress, to, port));
    inwards && outwards && crosses(network, from, to, port)
}

/// A port of those that Linux gives who connects; answers go there.
const EPHEMERAL: u16 = 49_152;

/// Whether the subnets' network ACLs let the question and its answer pass.
fn crosses(network: &VpcSpec, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> bool {
    let subnet = |ip: Ipv4Addr| network.subnets.iter().find(|subnet| subnet.cidr.contains(ip));
    let (near, far) = (subnet(from), subnet(to));
    if near.map(|s| &s.id) == far.map(|s| &s.id) {
        return true;
    }
    let passes = |subnet: Option<&SubnetSpec>, rules: fn(&AclSpec) -> &[AclRule], peer, port| {
        let acl = subnet.and_then(|subnet| subnet.acl.as_ref());
        acl.is_none_or(|acl| {
            let first = rules(acl).iter().find(|rule| rule.cidr.contains(peer) && covers(rule.protocol, port));
            first.is_some_and(|rule| rule.allow)
        })
    };
    let (enters, leaves): (fn(&AclSpec) -> &[AclRule], fn(&AclSpec) -> &[AclRule]) = (|a| &a.ingress, |a| &a.egress);
    passes(near, leaves, to, port)
        && passes(far, enters, from, port)
        && passes(far, leaves, from, EPHEMERAL)
        && passes(near, enters, to, EPHEMERAL)
}

fn covers(protocol: Protocol, port: u16) -> bool {
    match protocol {
        Protocol::All => true,
        Protocol::Tcp { ports } => (ports.from..=ports.to).contains(&port),
        _ => false,
    }
}

fn passes(network: &VpcSpec, member: &InterfaceSpec, direction: Direction, peer: Ipv4Addr, port: u16) -> bool {
    let groups = network.groups.iter().filter(|group| member.groups.contains(&group.id));
    groups.flat_map(|group| &group.rules).any(|rule| {
        let peered = match &rule.peer {
            Peer::Cidr { cidr } => cidr.contains(peer),
            Peer::Group { group } => network.interfaces.iter().any(|i| i.has(peer) && i.groups.contains(group)),
        };
        rule.direction == direction && covers(rule.protocol, port) && peered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, peer: Peer) -> SecurityGroupSpec {
        let tcp = Protocol::Tcp { ports: PortRange::one(80) };
        let out = Rule { direction: Direction::Egress, protocol: Protocol::All, peer: Peer::Cidr { cidr: Cidr::ANY } };
        SecurityGroupSpec {
            id: GroupId::new(id),
            rules: vec![Rule { direction: Direction::Ingress, protocol: tcp, peer }, out],
        }
    }

    #[test]
    fn only_what_a_rule_allows_passes() {
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let member = |last, id: &str| InterfaceSpec {
            ip: ip(last),
            subnet: SubnetId::new("s"),
            mac: MacAddr::from_ip(ip(last)),
            owner: InterfaceOwner::Router,
            groups: vec![GroupId::new(id)],
            source_dest_check: true,
            internet: true,
            public: None,
            secondary: vec![],
        };
        let network = VpcSpec {
            id: VpcId::new("v"),
            cidrs: vec![],
            subnets: vec![],
            groups: vec![
                group("web", Peer::Group { group: GroupId::new("lb") }),
                group("lb", Peer::Cidr { cidr: Cidr::ANY }),
            ],
            interfaces: vec![member(1, "lb"), member(2, "web"), member(3, "web")],
        };
        assert!(allows_tcp(&network, ip(1), ip(2), 80), "from the group");
        assert!(!allows_tcp(&network, ip(3), ip(2), 80), "not from its neighbour");
        assert!(!allows_tcp(&network, ip(1), ip(2), 81), "not another port");
        assert!(!allows_tcp(&network, ip(1), ip(9), 80), "nobody there");
    }
}
