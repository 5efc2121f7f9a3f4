//! Links: bridges, virtual cables, and what a cable's end on a bridge may do there.

use super::{ACK, CREATE, DUMP, Message, Netlink, attributes};
use nix::libc;
use std::io;
use std::os::fd::RawFd;

const IFINFO: usize = 16;
// linux/veth.h
const VETH_INFO_PEER: u16 = 1;
// linux/if_link.h
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BRPORT_PROXYARP: u16 = 10;
const IFLA_BRPORT_MCAST_FLOOD: u16 = 27;
const IFLA_BRPORT_BCAST_FLOOD: u16 = 30;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: i32,
    /// Its name.
    pub name: String,
    /// Its hardware address, if it has one of six bytes.
    pub mac: Option<[u8; 6]>,
    /// What it carried.
    pub counters: Counters,
}

/// What a link carried since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Received by this end.
    pub rx_packets: u64,
    /// Sent by this end.
    pub tx_packets: u64,
    /// Received by this end.
    pub rx_bytes: u64,
    /// Sent by this end.
    pub tx_bytes: u64,
}

/// One end of a virtual cable and where the other end goes.
pub struct Veth<'a> {
    /// Name of the end in this namespace.
    pub name: &'a str,
    /// Bridge that end is plugged into.
    pub bridge: i32,
    /// Name of the other end.
    pub peer: &'a str,
    /// Hardware address of the other end.
    pub peer_mac: [u8; 6],
    /// Namespace of the other end.
    pub peer_ns: RawFd,
}

impl Netlink {
    /// Makes a bridge with a fixed hardware address, and switches it on. It does not look for who
    /// wants to hear which group: nobody is sent what goes to many.
    pub fn add_bridge(&self, name: &str, mac: [u8; 6]) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK | CREATE);
        m.ifinfo(0, true);
        m.attr(libc::IFLA_IFNAME, &c_name(name));
        m.attr(libc::IFLA_ADDRESS, &mac);
        let info = m.open(libc::IFLA_LINKINFO);
        m.attr(libc::IFLA_INFO_KIND, b"bridge");
        let data = m.open(libc::IFLA_INFO_DATA);
        m.attr(IFLA_BR_MCAST_SNOOPING, &[0]);
        m.close(data);
        m.close(info);
        self.acked(m)
    }

    /// Makes a virtual cable: this end plugged in, both ends off.
    pub fn add_veth(&self, veth: &Veth<'_>) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK | CREATE);
        m.ifinfo(0, false);
        m.attr(libc::IFLA_IFNAME, &c_name(veth.name));
        m.attr(libc::IFLA_MASTER, &veth.bridge.to_ne_bytes());
        let info = m.open(libc::IFLA_LINKINFO);
        m.attr(libc::IFLA_INFO_KIND, b"veth");
        let data = m.open(libc::IFLA_INFO_DATA);
        let peer = m.open(VETH_INFO_PEER);
        m.ifinfo(0, false);
        m.attr(libc::IFLA_IFNAME, &c_name(veth.peer));
        m.attr(libc::IFLA_ADDRESS, &veth.peer_mac);
        m.attr(libc::IFLA_NET_NS_FD, &veth.peer_ns.to_ne_bytes());
        m.close(peer);
        m.close(data);
        m.close(info);
        self.acked(m)
    }

    /// Makes a port of a bridge one of which the bridge believes nothing: who is behind it is not
    /// learned from frames, and it is sent only what is for whom [`Netlink::forward_to`] named. So
    /// that nobody has to be asked, the bridge itself answers who has an address, from the
    /// neighbours that were set.
    pub fn close_port(&self, index: i32) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK);
        m.link(index);
        let info = m.open(libc::IFLA_LINKINFO);
        m.attr(IFLA_INFO_SLAVE_KIND, b"bridge");
        let data = m.open(IFLA_INFO_SLAVE_DATA);
        for off in [IFLA_BRPORT_LEARNING, IFLA_BRPORT_UNICAST_FLOOD, IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD] {
            m.attr(off, &[0]);
        }
        m.attr(IFLA_BRPORT_PROXYARP, &[1]);
        m.close(data);
        m.close(info);
        self.acked(m)
    }

    /// Removes a link; fine if there is none of that name.
    pub fn delete_link(&self, name: &str) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_DELLINK, ACK);
        m.ifinfo(0, false);
        m.attr(libc::IFLA_IFNAME, &c_name(name));
        match self.acked(m) {
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }

    /// Switches a link on.
    pub fn switch_on(&self, index: i32) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK);
        m.ifinfo(index, true);
        self.acked(m)
    }

    /// One link by its name.
    pub fn link(&self, name: &str) -> io::Result<Link> {
        let mut m = Message::new(libc::RTM_GETLINK, libc::NLM_F_REQUEST as u16);
        m.ifinfo(0, false);
        m.attr(libc::IFLA_IFNAME, &c_name(name));
        let mut found = None;
        self.exchange(m, false, |kind, body| {
            if kind == libc::RTM_NEWLINK {
                found = read_link(body);
            }
        })?;
        found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    }

    /// Every link.
    pub fn links(&self) -> io::Result<Vec<Link>> {
        let mut m = Message::new(libc::RTM_GETLINK, DUMP);
        m.ifinfo(0, false);
        let mut links = Vec::new();
        self.exchange(m, true, |kind, body| {
            if kind == libc::RTM_NEWLINK {
                links.extend(read_link(body));
            }
        })?;
        Ok(links)
    }
}

fn c_name(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn read_link(body: &[u8]) -> Option<Link> {
    let mut link = Link { index: i32::from_ne_bytes(body.get(4..8)?.try_into().ok()?), ..Link::default() };
    for (kind, value) in attributes(body.get(IFINFO..)?) {
        if kind == libc::IFLA_IFNAME {
            let text = value.split(|b| *b == 0).next()?;
            link.name = String::from_utf8_lossy(text).into_owned();
        } else if kind == libc::IFLA_ADDRESS {
            link.mac = value.try_into().ok();
        } else if kind == libc::IFLA_STATS64 {
            let number = |n: usize| -> Option<u64> {
                let bytes = value.get(n * 8..n * 8 + 8)?;
                Some(u64::from_ne_bytes(bytes.try_into().ok()?))
            };
            link.counters =
                Counters { rx_packets: number(0)?, tx_packets: number(1)?, rx_bytes: number(2)?, tx_bytes: number(3)? };
        }
    }
    Some(link)
}
