//! Neighbours and forwarding entries: who is behind which hardware address, said once and for all.
//!
//! An entry that the kernel learns by asking counts against one bound for the whole host, whatever
//! the namespace; one that is written down here does not, and nothing that is heard changes it.

use super::{ACK, DUMP, Message, Netlink, REPLACE, attributes};
use nix::libc;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct ndmsg`.
const NEIGHBOUR: usize = 12;
// linux/neighbour.h
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NTF_MASTER: u8 = 0x04;
const NTF_STICKY: u8 = 0x40;
const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
const NUD_ANY: u16 = 0xff;

impl Netlink {
    /// Frames for that hardware address go out by that port of its bridge, wherever else the
    /// address is seen as a sender. Fine if it is so.
    pub fn forward_to(&self, port: i32, mac: [u8; 6]) -> io::Result<()> {
        let flags = NTF_MASTER | NTF_STICKY;
        let mut m = neighbour(libc::RTM_NEWNEIGH, ACK | REPLACE, libc::AF_BRIDGE, port, NUD_NOARP, flags);
        m.attr(NDA_LLADDR, &mac);
        self.acked(m)
    }

    /// Whoever has this address has that hardware address: it is never asked for.
    pub fn set_neighbour(&self, link: i32, ip: IpAddr, mac: [u8; 6]) -> io::Result<()> {
        let mut m = neighbour(libc::RTM_NEWNEIGH, ACK | REPLACE, family(ip), link, NUD_PERMANENT, 0);
        destination(&mut m, ip);
        m.attr(NDA_LLADDR, &mac);
        self.acked(m)
    }

    /// Forgets a neighbour; fine if it is not known.
    pub fn forget_neighbour(&self, link: i32, ip: Ipv4Addr) -> io::Result<()> {
        let mut m = neighbour(libc::RTM_DELNEIGH, ACK, libc::AF_INET, link, 0, 0);
        destination(&mut m, ip.into());
        match self.acked(m) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// The neighbours of all links that were set: link, address, hardware address.
    pub fn set_neighbours(&self) -> io::Result<Vec<(i32, Ipv4Addr, [u8; 6])>> {
        let m = neighbour(libc::RTM_GETNEIGH, DUMP, libc::AF_INET, 0, NUD_ANY, 0);
        let mut found = Vec::new();
        self.exchange(m, true, |kind, body| {
            if kind == libc::RTM_NEWNEIGH {
                found.extend(read_set(body));
            }
        })?;
        Ok(found)
    }

    /// Writes down that whoever is on this host's own loopback is this host. The kernel makes that
    /// entry itself when it is first needed, but then it is one that counts: where others have
    /// filled the table, loopback stops.
    pub fn keep_loopback(&self) -> io::Result<()> {
        let lo = self.link("lo")?.index;
        self.set_neighbour(lo, Ipv4Addr::UNSPECIFIED.into(), [0; 6])?;
        match self.set_neighbour(lo, Ipv6Addr::LOCALHOST.into(), [0; 6]) {
            // A kernel without IPv6, or a loopback on which it was never on.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EINVAL)) => Ok(()),
            other => other,
        }
    }
}

fn family(ip: IpAddr) -> i32 {
    match ip {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    }
}

fn destination(m: &mut Message, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => m.attr(NDA_DST, &ip.octets()),
        IpAddr::V6(ip) => m.attr(NDA_DST, &ip.octets()),
    }
}

fn neighbour(kind: u16, flags: u16, family: i32, link: i32, state: u16, how: u8) -> Message {
    let mut m = Message::new(kind, flags);
    let ([i0, i1, i2, i3], [s0, s1]) = (link.to_ne_bytes(), state.to_ne_bytes());
    // family, three spare bytes, link, state, flags, type
    m.raw(&[family as u8, 0, 0, 0, i0, i1, i2, i3, s0, s1, how, 0]);
    m
}

fn read_set(body: &[u8]) -> Option<(i32, Ipv4Addr, [u8; 6])> {
    let link = i32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    if u16::from_ne_bytes(body.get(8..10)?.try_into().ok()?) & NUD_PERMANENT == 0 {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    for (kind, value) in attributes(body.get(NEIGHBOUR..)?) {
        match kind {
            NDA_DST => ip = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
            NDA_LLADDR => mac = value.try_into().ok(),
            _ => {}
        }
    }
    Some((link, ip?, mac?))
}
