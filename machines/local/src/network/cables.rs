//! Plugging machines in: a cable per interface, and what the machine's own network namespace needs
//! to use it.
//!
//! A cloud image finds its interfaces' addresses at the metadata service and sets them up itself
//! (Amazon Linux and Debian do so with ec2-net-utils). Here they are set up from outside, so that
//! any image has them, also one whose first process is a plain program. What is set up is the same:
//!
//! ```text
//! eth0: its addresses; the main table's ways: its subnet and all else by its subnet's router
//! ethN: its addresses; the main table's way to its subnet; table 10000+N: all by its subnet's router
//!       and for each of its addresses: what comes from it goes by table 10000+N
//! ```
//!
//! So an answer leaves by the interface at whose address the question came in. It has to: a cable
//! carries nothing from addresses that are not its interface's.
//!
//! The way to the machine's own subnet leads by the router too, whose hardware address is written
//! down, so that a machine has one neighbour and asks for none: what a machine asks for counts
//! against one bound of the whole host, and a look at every address of a large subnet would fill
//! it. A machine that gives itself another way and asks is answered by the bridge
//! ([`Netlink::close_port`]), never by another machine.

use super::firewall::cable_name;
use super::router::Router;
use crate::host::files::is_gone;
use crate::host::netlink::{Counters, Link, MAIN_TABLE, Netlink, Veth};
use crate::host::netns;
use kiln_machines_spec::{Cidr, DriverError, DriverResult, ExtraInterface, MacAddr, MachineSpec, SubnetId, VpcSpec};
use nix::libc;
use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

/// Number of the routing table of a machine's second interface, less one.
const TABLES: u32 = 10_000;
/// Every address.
const ANYWHERE: (Ipv4Addr, u8) = (Ipv4Addr::UNSPECIFIED, 0);

/// The subnet that a cable leads to.
struct Subnet {
    /// Its router: the machine's way out.
    gateway: Ipv4Addr,
    block: Cidr,
    bridge: i32,
}

fn is_cable(link: &&Link) -> bool {
    link.name.len() == 9 && link.name.starts_with('m')
}

/// The first interface of a machine.
pub fn first(spec: &MachineSpec) -> ExtraInterface {
    ExtraInterface {
        device: 0,
        vpc: spec.vpc.clone(),
        subnet: spec.subnet.clone(),
        ip: spec.private_ip,
        mac: spec.mac,
        secondary_ips: spec.secondary_ips.clone(),
    }
}

/// The number of the link of that hardware address. Its owner may have given it another name, or
/// its address to a bridge above it.
fn find(inside: &Netlink, name: &str, mac: [u8; 6]) -> io::Result<Option<i32>> {
    let mut same: Vec<Link> = inside.links()?.into_iter().filter(|link| link.mac == Some(mac)).collect();
    same.sort_by_key(|link| (link.name != name, link.index));
    Ok(same.first().map(|link| link.index))
}

impl Router {
    /// That the network has a place for this interface.
    pub fn has_place_for(&self, interface: &ExtraInterface) -> DriverResult<()> {
        let mut all = std::iter::once(&interface.ip).chain(&interface.secondary_ips);
        all.try_for_each(|ip| self.subnet(&interface.subnet, *ip).map(|_| ()))
    }

    fn subnet(&self, id: &SubnetId, ip: Ipv4Addr) -> DriverResult<Subnet> {
        let state = self.state.lock();
        let none = || DriverError::not_found("subnet", id);
        let subnet = state.spec.subnet(id).ok_or_else(none)?;
        if !subnet.cidr.contains(ip) {
            return Err(DriverError::Invalid(format!("the address {ip} is not in {id} ({})", subnet.cidr)));
        }
        let bridge = *state.bridges.get(id).ok_or_else(none)?;
        Ok(Subnet { gateway: subnet.cidr.nth(1), block: subnet.cidr, bridge })
    }

    /// Plugs an interface into a machine's namespace and sets it up there. One that is plugged in
    /// stays; `gone` are addresses it had and shall have no longer.
    pub fn plug(&self, interface: &ExtraInterface, gone: &[Ipv4Addr], machine: &OwnedFd) -> DriverResult<()> {
        let subnet = self.subnet(&interface.subnet, interface.ip)?;
        self.plug_in(&subnet, interface, gone, machine)
            .map_err(|e| DriverError::failed(format!("plug {} into {}", interface.ip, interface.subnet), e))
    }

    fn plug_in(&self, to: &Subnet, new: &ExtraInterface, gone: &[Ipv4Addr], machine: &OwnedFd) -> io::Result<()> {
        let (cable, mac) = (cable_name(new.ip), new.mac.0);
        let name = format!("eth{}", new.device);
        let seen = name.clone();
        let inside = netns::inside(machine, move || find(&Netlink::open()?, &seen, mac))?;
        let there = inside.is_some() && self.netlink.link(&cable).is_ok();
        if !there {
            // A cable may be left from the machine's former boot; the kernel was not done with it.
            self.netlink.delete_link(&cable)?;
            let peer_ns = machine.as_raw_fd();
            self.netlink.add_veth(&Veth { name: &cable, bridge: to.bridge, peer: &name, peer_mac: mac, peer_ns })?;
        }
        // Before it is switched on: the machine's owner may have done so with the other end.
        let port = self.netlink.link(&cable)?.index;
        self.netlink.close_port(port)?;
        self.netlink.forward_to(port, mac)?;
        self.netlink.switch_on(port)?;
        let (block, gateway, device) = (to.block, to.gateway, new.device);
        let ips: Vec<Ipv4Addr> = std::iter::once(new.ip).chain(new.secondary_ips.iter().copied()).collect();
        let gone = gone.to_vec();
        netns::inside(machine, move || {
            let inside = Netlink::open()?;
            let link = find(&inside, &name, mac)?.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
            for ip in gone.iter().filter(|ip| !ips.contains(ip)) {
                inside.delete_address(link, *ip, block.prefix())?;
            }
            for ip in &ips {
                inside.add_address_alone(link, *ip, block.prefix())?;
            }
            inside.switch_on(link)?;
            let near = (block.base(), block.prefix());
            if device == 0 {
                inside.switch_on(inside.link("lo")?.index)?;
                // One that is set up may have been given other routes by its owner.
                if there {
                    return Ok(());
                }
                inside.keep_loopback()?;
            }
            inside.set_neighbour(link, gateway.into(), MacAddr::from_ip(gateway).0)?;
            inside.add_route(MAIN_TABLE, near, gateway, link)?;
            if device == 0 {
                return inside.add_route(MAIN_TABLE, ANYWHERE, gateway, link);
            }
            inside.add_route(TABLES + device, ANYWHERE, gateway, link)?;
            inside.set_sources(TABLES + device, &ips)
        })
    }

    /// Takes an interface's cable away, with both its ends. Fine if there is none.
    pub fn unplug(&self, ip: Ipv4Addr) -> DriverResult<()> {
        self.netlink.delete_link(&cable_name(ip)).map_err(|e| DriverError::failed(format!("unplug {ip}"), e))
    }

    /// Takes away every cable but those of these addresses.
    pub fn unplug_except(&self, keep: &BTreeSet<Ipv4Addr>) -> DriverResult<()> {
        let failed = |e| DriverError::failed(format!("clear the cables of {}", self.id), e);
        let keep: BTreeSet<String> = keep.iter().map(|ip| cable_name(*ip)).collect();
        for link in self.netlink.links().map_err(failed)?.iter().filter(is_cable) {
            if !keep.contains(&link.name) {
                self.netlink.delete_link(&link.name).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Closes the ports of cables that an earlier kiln plugged in: it may have left them open.
    pub(super) fn close_ports(&self, spec: &VpcSpec) -> io::Result<()> {
        let links = self.netlink.links()?;
        for interface in &spec.interfaces {
            let cable = cable_name(interface.ip);
            if let Some(port) = links.iter().find(|link| link.name == cable) {
                close_listed(&self.netlink, port.index, interface.mac)?;
            }
        }
        Ok(())
    }

    /// What an interface's cable carried, seen from the machine.
    pub fn counters(&self, ip: Ipv4Addr) -> DriverResult<Counters> {
        let link = self
            .netlink
            .link(&cable_name(ip))
            .map_err(|e| DriverError::failed(format!("read the counters of {ip}"), e))?;
        let router = link.counters;
        Ok(Counters {
            rx_packets: router.tx_packets,
            tx_packets: router.rx_packets,
            rx_bytes: router.tx_bytes,
            tx_bytes: router.rx_bytes,
        })
    }

    /// How many cables are plugged in.
    pub fn cables(&self) -> DriverResult<usize> {
        let links = self.netlink.links();
        let links = links.map_err(|e| DriverError::failed("list the links", e))?;
        Ok(links.iter().filter(is_cable).count())
    }
}

/// Closes a port that was listed. One whose machine has ended since is not there any more, and nothing is open.
fn close_listed(netlink: &Netlink, port: i32, mac: MacAddr) -> io::Result<()> {
    match netlink.close_port(port).and_then(|()| netlink.forward_to(port, mac.0)) {
        Err(e) if is_gone(&e) => Ok(()),
        other => other,
    }
}

/// Forgets, inside a machine, what leads to the interface of that device number.
pub fn forget(device: u32, machine: &OwnedFd) -> DriverResult<()> {
    netns::inside(machine, move || Netlink::open()?.set_sources(TABLES + device, &[]))
        .map_err(|e| DriverError::failed(format!("forget the routes of eth{device}"), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn a_port_that_went_since_it_was_listed_needs_no_closing() {
        let closed = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network of its own");
            let netlink = Netlink::open().expect("opened");
            let mac = MacAddr::from_ip(Ipv4Addr::new(10, 0, 0, 4));
            let lo = netlink.link("lo").expect("there").index;
            let went = netlink.close_port(lo + 1000).expect_err("none");
            // One that is there and cannot be closed is told.
            (went.raw_os_error(), close_listed(&netlink, lo + 1000, mac), close_listed(&netlink, lo, mac))
        });
        let (went, listed, other) = closed.join().expect("ended");
        assert_eq!(went, Some(libc::ENODEV));
        listed.expect("nothing is open");
        other.expect_err("no port of a bridge");
    }
}
