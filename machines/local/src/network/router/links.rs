//! What stands in the router's namespace: a bridge for each subnet, who has which address behind it, and the
//! addresses at which kiln itself answers.

use super::Router;
use crate::host::netlink::Link;
use crate::network::firewall::{DNS_IP, HOST_IP, METADATA_IP};
use kiln_machines_spec::{InterfaceOwner, MacAddr, SubnetId, SubnetSpec, VpcSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

fn is_bridge(link: &&Link) -> bool {
    link.name.len() == 9 && link.name.starts_with('b')
}

fn bridge_name(subnet: &SubnetSpec) -> String {
    format!("b{:08x}", u32::from(subnet.cidr.base()))
}

impl Router {
    /// A bridge for each subnet, with the router's address in it; others go.
    pub(super) fn apply_bridges(&self, spec: &VpcSpec) -> io::Result<BTreeMap<SubnetId, i32>> {
        let links = self.netlink.links()?;
        let find = |name: &str| links.iter().find(|l| l.name == name);
        let mut bridges = BTreeMap::new();
        for subnet in &spec.subnets {
            let name = bridge_name(subnet);
            let address = (subnet.cidr.nth(1), subnet.cidr.prefix());
            let index = match find(&name) {
                Some(link) => link.index,
                None => {
                    self.netlink.add_bridge(&name, MacAddr::from_ip(address.0).0)?;
                    self.netlink.link(&name)?.index
                }
            };
            let has = match find(&name) {
                Some(_) => self.netlink.addresses(index)?,
                None => Vec::new(),
            };
            if !has.contains(&address) {
                for (ip, prefix) in has {
                    self.netlink.delete_address(index, ip, prefix)?;
                }
                self.netlink.add_address(index, address.0, address.1)?;
            }
            bridges.insert(subnet.id.clone(), index);
        }
        let wanted: BTreeSet<i32> = bridges.values().copied().collect();
        for link in links.iter().filter(is_bridge) {
            if !wanted.contains(&link.index) {
                self.netlink.delete_link(&link.name)?;
            }
        }
        Ok(bridges)
    }

    /// Who has which address in the subnets: the router asks nobody, and its bridges answer whoever
    /// asks from this.
    pub(super) fn apply_neighbours(&self, spec: &VpcSpec, bridges: &BTreeMap<SubnetId, i32>) -> io::Result<()> {
        let mut wanted = BTreeSet::new();
        for interface in &spec.interfaces {
            if let (InterfaceOwner::Machine { .. }, Some(bridge)) = (&interface.owner, bridges.get(&interface.subnet)) {
                wanted.extend(interface.addresses().map(|(ip, _)| (*bridge, ip, interface.mac.0)));
            }
        }
        let of_bridges: BTreeSet<i32> = bridges.values().copied().collect();
        for (link, ip, mac) in self.netlink.set_neighbours()? {
            if of_bridges.contains(&link) && !wanted.remove(&(link, ip, mac)) {
                self.netlink.forget_neighbour(link, ip)?;
            }
        }
        for (link, ip, mac) in wanted {
            self.netlink.set_neighbour(link, ip.into(), mac)?;
        }
        Ok(())
    }

    /// Addresses at which kiln itself answers: on the loopback of the router.
    pub(super) fn apply_own_addresses(&self, spec: &VpcSpec) -> io::Result<()> {
        let mut wanted: BTreeSet<Ipv4Addr> = [METADATA_IP, DNS_IP].into();
        wanted.extend(spec.dns_ip());
        let own = |o: &InterfaceOwner| matches!(o, InterfaceOwner::Router);
        let interfaces = spec.interfaces.iter().filter(|i| own(&i.owner));
        wanted.extend(interfaces.map(|i| i.ip));
        if spec.interfaces.iter().any(|i| i.public_addresses().next().is_some()) {
            wanted.insert(HOST_IP);
        }
        let lo = self.netlink.link("lo")?.index;
        for (ip, prefix) in self.netlink.addresses(lo)? {
            if !ip.is_loopback() && !wanted.remove(&ip) {
                self.netlink.delete_address(lo, ip, prefix)?;
            }
        }
        for ip in wanted {
            self.netlink.add_address(lo, ip, 32)?;
        }
        Ok(())
    }
}
