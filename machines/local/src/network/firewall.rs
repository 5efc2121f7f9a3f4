//! Security groups as one nftables rule set: pure text from a VPC's description.
//!
//! Who a packet is from is settled first, at the cable (table `bridge`): a
//! machine can send only with the addresses its interface has, and say of itself
//! only those; a frame's own sender is looked at too, whatever is in it. After that the
//! address is the identity, and every packet, bridged or routed, passes
//! `forward`, `input` or `output` of table `inet`:
//!
//! ```text
//!  answer of an allowed connection ─────────────► accept
//!  from an interface ── its groups' egress rules ─┐
//!  from elsewhere ────────────────────────────────┴► to an interface ── its groups' ingress rules ─► accept
//!                                                    to the internet, if it may go there ──────────► accept
//!  else drop
//! ```
//!
//! What a load balancer asks of an address that is the router's own (another load balancer's) is
//! judged like the rest, when it leaves (`output`).
//!
//! What a change of the rules does to connections that are open is what EC2 does. A
//! connection is *tracked* on each side by itself, and a tracked one goes on until it
//! ends; its mark in the connection table says so (1: on the asking side, 2: on the
//! asked). A TCP or UDP connection is *not* tracked where the rule that allows it is
//! open to all and another allows everything the other way; each of its packets is
//! checked anew, so it ends with its rule. Answers ride on the connection table.
//!
//! A TCP connection that begins anew with the same ports is checked anew: an address
//! may belong to another machine by then. Turned down: flushing the connection table at
//! each change, which also breaks the connections that are still allowed.

use crate::network::internet::TAP;
use kiln_machines_spec::{
    Cidr, Direction, GroupId, InterfaceOwner, InterfaceSpec, Peer, Protocol, Rule, VpcSpec, ZoneName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// Where machines find the metadata service.
pub const METADATA_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// At which port of that address machines find the platform's API; the metadata is at 80.
const API_PORT: u16 = 4566;
/// Where machines find DNS, beside the address in the VPC itself.
pub const DNS_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

/// Who comes from this host, by a public address, as machines and rules see it; of the block kept for
/// benchmarks, so that no VPC has it.
pub const HOST_IP: Ipv4Addr = Ipv4Addr::new(198, 19, 254, 1);

/// Where the way to the internet does not lead: networks that are private, the
/// host's neighbours among them. AWS's gateways do not lead there either.
const NOT_INTERNET: [&str; 8] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
];

/// Whether who comes from this host is among a rule's peers. AWS would see the public address by
/// which the host goes out; what comes over loopback comes from 127.0.0.1, so a rule means the host
/// by that, or by a public address that the host has itself. Private addresses of the host do not
/// count: a VPC may have the same block, and means its own machines.
pub fn admits_host(peer: &Peer, host: &BTreeSet<Ipv4Addr>) -> bool {
    let Peer::Cidr { cidr } = peer else { return false };
    let is_public = |ip: &&Ipv4Addr| {
        let blocks = NOT_INTERNET.iter().filter_map(|block| block.parse::<Cidr>().ok());
        !blocks.into_iter().any(|block| block.contains(**ip))
    };
    cidr.contains(Ipv4Addr::LOCALHOST) || host.iter().filter(is_public).any(|ip| cidr.contains(*ip))
}

/// Name of the cable of the machine with this address, on the router's side.
pub fn cable_name(ip: Ipv4Addr) -> String {
    format!("m{:08x}", u32::from(ip))
}

/// The whole rule set, to be loaded in one transaction. `host` are the host's
/// own addresses, which machines must not reach by the way to the internet.
pub fn rules(vpc: &VpcSpec, cut: &BTreeSet<ZoneName>, host: &BTreeSet<Ipv4Addr>) -> String {
    let mut out = String::with_capacity(4096);
    for table in ["bridge cables", "inet groups", "ip nat"] {
        // Adding before deleting makes the deletion fine if there was none.
        let _ = writeln!(out, "table {table}\ndelete table {table}");
    }
    cables(&mut out, vpc);
    groups(&mut out, vpc, cut, host);
    nat(&mut out, vpc);
    out
}

/// Who may say what on a cable.
fn cables(out: &mut String, vpc: &VpcSpec) {
    let (mut checked, mut free, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for interface in &vpc.interfaces {
        if !matches!(interface.owner, InterfaceOwner::Machine { .. }) {
            continue;
        }
        let (cable, mac) = (cable_name(interface.ip), interface.mac);
        known.extend(interface.addresses().map(|(ip, _)| format!("\"{cable}\" . {mac} . {mac} . {ip}")));
        if interface.source_dest_check {
            checked.extend(interface.addresses().map(|(ip, _)| format!("\"{cable}\" . {mac} . {ip}")));
        } else {
            free.push(format!("\"{cable}\" . {mac}"));
        }
    }
    out.push_str("table bridge cables {\n");
    set(out, "checked", "ifname . ether_addr . ipv4_addr", &checked);
    set(out, "free", "ifname . ether_addr", &free);
    set(out, "known", "ifname . ether_addr . ether_addr . ipv4_addr", &known);
    out.push_str(
        "  chain from_cable {
    type filter hook prerouting priority -300; policy drop;
    ether type ip iifname . ether saddr . ip saddr @checked accept
    ether type ip iifname . ether saddr @free accept
    ether type arp iifname . ether saddr . arp saddr ether . arp saddr ip @known accept
  }
}
",
    );
}

fn groups(out: &mut String, vpc: &VpcSpec, cut: &BTreeSet<ZoneName>, host: &BTreeSet<Ipv4Addr>) {
    let numbers: BTreeMap<&GroupId, usize> = vpc.groups.iter().enumerate().map(|(n, g)| (&g.id, n)).collect();
    out.push_str("table inet groups {\n");
    for (group, n) in &numbers {
        let members = vpc.interfaces.iter().filter(|i| i.groups.contains(group));
        let ips: Vec<String> = members.flat_map(|i| i.addresses().map(|(ip, _)| ip.to_string())).collect();
        set(out, &format!("group_{n}"), "ipv4_addr", &ips);
    }
    let subnets = |keep: &dyn Fn(&kiln_machines_spec::SubnetSpec) -> bool| -> Vec<String> {
        let kept = vpc.subnets.iter().filter(|s| keep(s));
        kept.map(|s| s.cidr.to_string()).collect()
    };
    interval_set(out, "cut", &subnets(&|s| cut.contains(&s.zone)));
    let leads_out = |i: &&InterfaceSpec| vpc.subnet(&i.subnet).is_some_and(|s| s.internet);
    let public = vpc.interfaces.iter().filter(leads_out).flat_map(InterfaceSpec::addresses);
    let outward: Vec<String> = public.filter(|(_, internet)| *internet).map(|(ip, _)| ip.to_string()).collect();
    set(out, "internet", "ipv4_addr", &outward);
    let blocks: Vec<String> = vpc.cidrs.iter().map(ToString::to_string).collect();
    interval_set(out, "vpc", &blocks);
    let mut private: Vec<String> = NOT_INTERNET.map(str::to_owned).to_vec();
    private.extend(host.iter().map(ToString::to_string));
    interval_set(out, "not_internet", &private);

    // Interfaces with the same groups share their two chains.
    let mut chains: BTreeMap<Vec<usize>, Vec<Ipv4Addr>> = BTreeMap::new();
    for interface in &vpc.interfaces {
        let known = interface.groups.iter().filter_map(|g| numbers.get(g));
        let mut key: Vec<usize> = known.copied().collect();
        key.sort_unstable();
        key.dedup();
        chains.entry(key).or_default().extend(interface.addresses().map(|(ip, _)| ip));
    }
    let (mut egress, mut ingress) = (Vec::new(), Vec::new());
    for (n, (key, ips)) in chains.iter().enumerate() {
        let of_key = key.iter().filter_map(|g| vpc.groups.get(*g));
        let all: BTreeSet<&Rule> = of_key.flat_map(|g| &g.rules).collect();
        chain(out, &format!("egress_{n}"), &all, Direction::Egress, &numbers, host);
        chain(out, &format!("ingress_{n}"), &all, Direction::Ingress, &numbers, host);
        for ip in ips {
            egress.push(format!("{ip} : goto egress_{n}"));
            ingress.push(format!("{ip} : goto ingress_{n}"));
        }
    }
    map(out, "from_interface", &egress);
    map(out, "to_interface", &ingress);
    let dns = vpc.dns_ip().map_or_else(|| DNS_IP.to_string(), |ip| format!("{DNS_IP}, {ip}"));
    // The checked chains jump forward by name, so they are filled after all exist.
    let _ = write!(
        out,
        "  chain arrive {{
    ct state established ct mark & 2 == 2 accept
    ip daddr vmap @to_interface
    ip daddr @vpc drop
    ip daddr @not_internet drop
    oifname \"{TAP}\" ip saddr @internet accept
    drop
  }}
  chain check {{
    ip saddr @cut drop
    ip daddr @cut drop
    ct state established,related ct direction reply accept
    tcp flags & (syn | ack) == syn ct mark set 0
    ct state established ct mark & 1 == 1 goto arrive
    ip saddr vmap @from_interface
    goto arrive
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    iifname \"{TAP}\" ct direction original drop
    goto check
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    iifname \"lo\" accept
    ip saddr @cut drop
    iifname != \"{TAP}\" ip daddr {METADATA_IP} tcp dport {{ 80, {API_PORT} }} accept
    iifname != \"{TAP}\" ip daddr {{ {dns} }} meta l4proto {{ tcp, udp }} th dport 53 accept
    iifname \"{TAP}\" ct direction original drop
    goto check
  }}
  chain output {{
    type filter hook output priority 0; policy drop;
    goto check
  }}
}}
"
    );
}

fn nat(out: &mut String, vpc: &VpcSpec) {
    out.push_str("table ip nat {\n");
    if vpc.subnets.iter().any(|s| s.internet) {
        let _ = write!(
            out,
            "  chain out {{
    type nat hook postrouting priority 100; policy accept;
    oifname \"{TAP}\" masquerade
  }}
"
        );
    }
    out.push_str("}\n");
}

fn set(out: &mut String, name: &str, kind: &str, elements: &[String]) {
    let _ = writeln!(out, "  set {name} {{ type {kind}; {}}}", list(elements));
}

fn interval_set(out: &mut String, name: &str, elements: &[String]) {
    let list = list(elements);
    let _ = writeln!(out, "  set {name} {{ type ipv4_addr; flags interval; auto-merge; {list}}}");
}

fn map(out: &mut String, name: &str, elements: &[String]) {
    let list = list(elements);
    let _ = writeln!(out, "  map {name} {{ type ipv4_addr : verdict; {list}}}");
}

fn list(elements: &[String]) -> String {
    if elements.is_empty() {
        return String::new();
    }
    format!("elements = {{ {} }} ", elements.join(", "))
}

/// The rules of one direction of a set of groups; nothing else passes.
fn chain(
    out: &mut String,
    name: &str,
    rules: &BTreeSet<&Rule>,
    direction: Direction,
    numbers: &BTreeMap<&GroupId, usize>,
    host: &BTreeSet<Ipv4Addr>,
) {
    // What passes egress goes on to the far end's ingress.
    let (side, verdict, mark) = match direction {
        Direction::Ingress => ("saddr", "accept", 2),
        Direction::Egress => ("daddr", "goto arrive", 1),
    };
    let _ = writeln!(out, "  chain {name} {{");
    let (mut untracked, mut tracked) = (String::new(), String::new());
    for rule in rules.iter().filter(|r| r.direction == direction) {
        let peer = match &rule.peer {
            peer if is_anyone(peer) => String::new(),
            Peer::Cidr { cidr } if direction == Direction::Ingress => among(side, *cidr, host),
            Peer::Cidr { cidr } => format!("ip {side} {cidr} "),
            Peer::Group { group } => match numbers.get(group) {
                Some(n) => format!("ip {side} @group_{n} "),
                // A group that is gone has no members.
                None => continue,
            },
        };
        let what = protocol(rule.protocol);
        if is_untracked(rule, rules) {
            let what = if what.is_empty() { "meta l4proto { tcp, udp } " } else { &what };
            let _ = writeln!(untracked, "    {what}{verdict}");
        }
        if !is_untracked(rule, rules) || rule.protocol == Protocol::All {
            let _ = writeln!(tracked, "    {peer}{what}ct mark set ct mark | {mark} {verdict}");
        }
    }
    let _ = write!(out, "{untracked}{tracked}    drop\n  }}\n");
}

fn is_anyone(peer: &Peer) -> bool {
    matches!(peer, Peer::Cidr { cidr } if cidr.prefix() == 0)
}

/// Whether EC2 does not track a TCP or UDP connection that this rule allows: anyone may ask, and
/// every answer may pass without looking at connections.
fn is_untracked(rule: &Rule, rules: &BTreeSet<&Rule>) -> bool {
    let all_ports = |p: Protocol| match p {
        Protocol::Tcp { ports } | Protocol::Udp { ports } => (ports.from, ports.to) == (0, u16::MAX),
        _ => false,
    };
    let answers = |other: Protocol| match (rule.protocol, other) {
        (Protocol::Tcp { .. } | Protocol::Udp { .. } | Protocol::All, Protocol::All) => true,
        (Protocol::Tcp { .. }, Protocol::Tcp { .. }) | (Protocol::Udp { .. }, Protocol::Udp { .. }) => all_ports(other),
        _ => false,
    };
    is_anyone(&rule.peer)
        && rules.iter().any(|r| r.direction != rule.direction && is_anyone(&r.peer) && answers(r.protocol))
}

/// The packets whose end on that side is in a block, as the beginning of a rule. What is said of the
/// host by its addresses holds for the one that it has here.
pub(super) fn among(side: &str, cidr: Cidr, host: &BTreeSet<Ipv4Addr>) -> String {
    match (admits_host(&Peer::Cidr { cidr }, host), cidr.contains(HOST_IP)) {
        _ if cidr.prefix() == 0 => String::new(),
        (true, false) => format!("ip {side} {{ {cidr}, {HOST_IP} }} "),
        (false, true) => format!("ip {side} != {HOST_IP} ip {side} {cidr} "),
        _ => format!("ip {side} {cidr} "),
    }
}

/// The packets of a protocol, as the beginning of a rule.
pub(super) fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::All => String::new(),
        Protocol::Tcp { ports } => format!("tcp dport {}-{} ", ports.from, ports.to),
        Protocol::Udp { ports } => format!("udp dport {}-{} ", ports.from, ports.to),
        Protocol::Other { number } => format!("meta l4proto {number} "),
        Protocol::Icmp { kind: None, .. } => "ip protocol icmp ".to_owned(),
        Protocol::Icmp { kind: Some(kind), code: None } => format!("icmp type {kind} "),
        Protocol::Icmp { kind: Some(kind), code: Some(code) } => format!("icmp type {kind} icmp code {code} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_machines_spec::{MacAddr, PortRange, SecurityGroupSpec, SubnetSpec};

    /// A load balancer in front of two machines, one of them in a cut zone.
    #[test]
    fn the_rule_set_of_a_load_balancer_and_its_targets() {
        let rule = |direction, protocol, peer| Rule { direction, protocol, peer };
        let tcp = |port| Protocol::Tcp { ports: PortRange::one(port) };
        let anyone = || Peer::Cidr { cidr: Cidr::ANY };
        let of = |group: &str| Peer::Group { group: group.into() };
        let subnet = |id: &str, cidr: &str, zone: &str, internet| SubnetSpec {
            id: id.into(),
            cidr: cidr.parse().expect("a block"),
            zone: zone.into(),
            internet,
            acl: None,
        };
        let interface = |ip: &str, subnet: &str, owner, group: &str| {
            let ip: Ipv4Addr = ip.parse().expect("an address");
            InterfaceSpec {
                ip,
                subnet: subnet.into(),
                mac: MacAddr::from_ip(ip),
                owner,
                groups: vec![group.into()],
                source_dest_check: true,
                internet: ip.octets()[3] == 10,
                public: None,
                secondary: vec![],
            }
        };
        let machine = |id: &str| InterfaceOwner::Machine { machine: id.into() };
        let vpc = VpcSpec {
            id: "vpc-1".into(),
            cidrs: vec!["10.0.0.0/16".parse().expect("a block")],
            subnets: vec![subnet("subnet-a", "10.0.1.0/24", "a", true), subnet("subnet-b", "10.0.2.0/24", "b", false)],
            groups: vec![
                SecurityGroupSpec {
                    id: "balancer".into(),
                    rules: vec![
                        rule(Direction::Ingress, tcp(80), anyone()),
                        rule(Direction::Egress, tcp(8080), of("shop")),
                    ],
                },
                SecurityGroupSpec {
                    id: "shop".into(),
                    rules: vec![
                        rule(Direction::Ingress, tcp(8080), of("balancer")),
                        rule(Direction::Egress, Protocol::All, anyone()),
                    ],
                },
            ],
            interfaces: vec![
                interface("10.0.1.5", "subnet-a", InterfaceOwner::Router, "balancer"),
                interface("10.0.1.10", "subnet-a", machine("i-1"), "shop"),
                interface("10.0.2.10", "subnet-b", machine("i-2"), "shop"),
            ],
        };
        let host = BTreeSet::from([Ipv4Addr::new(203, 0, 113, 7)]);
        let text = rules(&vpc, &BTreeSet::from(["b".into()]), &host);
        assert_eq!(text, include_str!("firewall.expected.nft"), "got:\n{text}");
    }
}
