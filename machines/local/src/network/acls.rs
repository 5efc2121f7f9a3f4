//! Network ACLs as nftables rules: pure text from a VPC's description.
//!
//! A packet that crosses a subnet's border is judged by the rules of that subnet's ACL, one after the
//! other, without memory: answers are judged like questions. Packets between two neighbours of a subnet
//! cross no border. This is asked before the security groups, and what passes goes on to them.
//!
//! As on AWS, no ACL stops what machines say to their metadata, their DNS and their subnet's router
//! (Amazon VPC User Guide, "Control subnet traffic with network access control lists").

use super::firewall::{METADATA_IP, among, protocol};
use kiln_machines_spec::{AclRule, SubnetSpec, VpcSpec};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The table, to be loaded in one transaction with the others; it is gone where no subnet needs it. `host`
/// are the host's own addresses: a rule may mean by them who comes from the host.
pub fn rules(vpc: &VpcSpec, host: &BTreeSet<Ipv4Addr>) -> String {
    let mut out = "table inet acls\ndelete table inet acls\n".to_owned();
    let guarded: Vec<(usize, &SubnetSpec)> =
        vpc.subnets.iter().enumerate().filter(|(_, subnet)| subnet.acl.is_some()).collect();
    if guarded.is_empty() {
        return out;
    }
    out.push_str("table inet acls {\n");
    for (n, subnet) in &guarded {
        let acl = subnet.acl.as_ref().expect("only those with an ACL were kept");
        chain(&mut out, &format!("leaves_{n}"), "daddr", &acl.egress, host);
        chain(&mut out, &format!("enters_{n}"), "saddr", &acl.ingress, host);
    }
    let routers = vpc.subnets.iter().map(|subnet| subnet.cidr.nth(1));
    let free: Vec<String> = routers.chain(vpc.dns_ip()).map(|ip| ip.to_string()).collect();
    let free = format!("{{ {}/16, {} }}", METADATA_IP, free.join(", "));
    let _ = write!(out, "  chain border {{\n    ip saddr {free} return\n    ip daddr {free} return\n");
    for (n, subnet) in &guarded {
        let cidr = subnet.cidr;
        let _ = writeln!(out, "    ip saddr {cidr} ip daddr != {cidr} jump leaves_{n}");
        let _ = writeln!(out, "    ip daddr {cidr} ip saddr != {cidr} jump enters_{n}");
    }
    out.push_str("  }\n");
    for hook in ["forward", "input", "output"] {
        // Before the security groups, whose priority is 0.
        let _ = write!(
            out,
            "  chain {hook} {{\n    type filter hook {hook} priority -10; policy accept;\n    jump border\n  }}\n"
        );
    }
    out.push_str("}\n");
    out
}

fn chain(out: &mut String, name: &str, side: &str, rules: &[AclRule], host: &BTreeSet<Ipv4Addr>) {
    let _ = writeln!(out, "  chain {name} {{");
    for rule in rules {
        let peer = among(side, rule.cidr, host);
        let verdict = if rule.allow { "return" } else { "drop" };
        let _ = writeln!(out, "    {peer}{}{verdict}", protocol(rule.protocol));
    }
    out.push_str("    drop\n  }\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_machines_spec::{AclSpec, Cidr, PortRange, Protocol};

    #[test]
    fn the_rules_of_one_subnet_beside_an_open_one() {
        let cidr = |text: &str| -> Cidr { text.parse().expect("a block") };
        let subnet = |id: &str, block: &str, acl| SubnetSpec {
            id: id.into(),
            cidr: cidr(block),
            zone: "a".into(),
            internet: false,
            acl,
        };
        let rule = |allow, protocol, block: &str| AclRule { allow, protocol, cidr: cidr(block) };
        let tcp = |from, to| Protocol::Tcp { ports: PortRange { from, to } };
        let acl = AclSpec {
            ingress: vec![
                rule(false, tcp(80, 80), "10.0.2.0/24"),
                rule(false, tcp(22, 22), "127.0.0.0/8"),
                rule(true, tcp(80, 443), "0.0.0.0/0"),
            ],
            egress: vec![rule(true, Protocol::All, "0.0.0.0/0")],
        };
        let mut vpc = VpcSpec {
            id: "vpc-1".into(),
            cidrs: vec![cidr("10.0.0.0/16")],
            subnets: vec![subnet("open", "10.0.2.0/24", None), subnet("guarded", "10.0.1.0/24", Some(acl))],
            groups: vec![],
            interfaces: vec![],
        };
        let expected = "table inet acls
delete table inet acls
table inet acls {
  chain leaves_1 {
    return
    drop
  }
  chain enters_1 {
    ip saddr 10.0.2.0/24 tcp dport 80-80 drop
    ip saddr { 127.0.0.0/8, 198.19.254.1 } tcp dport 22-22 drop
    tcp dport 80-443 return
    drop
  }
  chain border {
    ip saddr { 169.254.169.254/16, 10.0.2.1, 10.0.1.1, 10.0.0.2 } return
    ip daddr { 169.254.169.254/16, 10.0.2.1, 10.0.1.1, 10.0.0.2 } return
    ip saddr 10.0.1.0/24 ip daddr != 10.0.1.0/24 jump leaves_1
    ip daddr 10.0.1.0/24 ip saddr != 10.0.1.0/24 jump enters_1
  }
  chain forward {
    type filter hook forward priority -10; policy accept;
    jump border
  }
  chain input {
    type filter hook input priority -10; policy accept;
    jump border
  }
  chain output {
    type filter hook output priority -10; policy accept;
    jump border
  }
}
";
        assert_eq!(rules(&vpc, &BTreeSet::new()), expected);
        vpc.subnets.pop();
        assert_eq!(rules(&vpc, &BTreeSet::new()), "table inet acls\ndelete table inet acls\n");
    }
}
