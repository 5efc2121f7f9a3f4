//! Addresses, routes, and the rules that choose a routing table.

use super::{ACK, APPEND, CREATE, DUMP, Message, Netlink, REPLACE, attributes};
use nix::libc;
use std::io;
use std::net::Ipv4Addr;

const IFADDR: usize = 8;
const RULE: usize = 12;
// linux/fib_rules.h
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const FR_ACT_TO_TBL: u8 = 1;
// linux/rtnetlink.h
const RTNH_F_ONLINK: u32 = 4;
/// The routing table that is asked when no rule names another.
pub const MAIN_TABLE: u32 = libc::RT_TABLE_MAIN as u32;

impl Netlink {
    /// Gives a link an address, and with it the way to the others of its block; fine if it has it.
    pub fn add_address(&self, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        self.address(libc::RTM_NEWADDR, ACK | REPLACE, index, (ip, prefix), 0)
    }

    /// Gives a link an address and no way to anywhere; fine if it has it.
    pub fn add_address_alone(&self, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        self.address(libc::RTM_NEWADDR, ACK | REPLACE, index, (ip, prefix), libc::IFA_F_NOPREFIXROUTE)
    }

    /// Takes an address from a link; fine if it does not have it.
    pub fn delete_address(&self, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        match self.address(libc::RTM_DELADDR, ACK, index, (ip, prefix), 0) {
            Err(e) if e.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            other => other,
        }
    }

    fn address(&self, kind: u16, flags: u16, index: i32, at: (Ipv4Addr, u8), how: u32) -> io::Result<()> {
        let (ip, prefix) = at;
        let mut m = Message::new(kind, flags);
        let [i0, i1, i2, i3] = index.to_ne_bytes();
        m.raw(&[libc::AF_INET as u8, prefix, 0, 0, i0, i1, i2, i3]);
        m.attr(libc::IFA_LOCAL, &ip.octets());
        m.attr(libc::IFA_ADDRESS, &ip.octets());
        m.attr(libc::IFA_FLAGS, &how.to_ne_bytes());
        if prefix < 31 {
            let host_bits = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let broadcast = Ipv4Addr::from(u32::from(ip) | host_bits);
            m.attr(libc::IFA_BROADCAST, &broadcast.octets());
        }
        self.acked(m)
    }

    /// The IPv4 addresses of a link.
    pub fn addresses(&self, index: i32) -> io::Result<Vec<(Ipv4Addr, u8)>> {
        let mut m = Message::new(libc::RTM_GETADDR, DUMP);
        m.raw(&[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0]);
        let mut found = Vec::new();
        self.exchange(m, true, |kind, body| {
            if kind != libc::RTM_NEWADDR || body.len() < IFADDR {
                return;
            }
            if i32::from_ne_bytes([body[4], body[5], body[6], body[7]]) != index {
                return;
            }
            let local = attributes(&body[IFADDR..]).find(|(kind, _)| *kind == libc::IFA_LOCAL);
            if let Some((_, &[a, b, c, d])) = local {
                found.push((Ipv4Addr::new(a, b, c, d), body[1]));
            }
        })?;
        Ok(found)
    }

    /// Sends what is for `block` to `gateway`, which is on that link. A table may have several ways
    /// to one block; the first one is taken. Fine if it has this one.
    pub fn add_route(&self, table: u32, block: (Ipv4Addr, u8), gateway: Ipv4Addr, index: i32) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWROUTE, ACK | APPEND);
        let (family, protocol) = (libc::AF_INET as u8, libc::RTPROT_STATIC);
        let (scope, kind, [f0, f1, f2, f3]) = (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST, RTNH_F_ONLINK.to_ne_bytes());
        // family, destination and source lengths, tos, table, protocol, scope, type, flags. The
        // table's number may be too big for this; the attribute has it.
        m.raw(&[family, block.1, 0, 0, libc::RT_TABLE_UNSPEC, protocol, scope, kind, f0, f1, f2, f3]);
        m.attr(libc::RTA_TABLE, &table.to_ne_bytes());
        m.attr(libc::RTA_DST, &block.0.octets());
        m.attr(libc::RTA_OIF, &index.to_ne_bytes());
        m.attr(libc::RTA_GATEWAY, &gateway.octets());
        match self.acked(m) {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Sends what comes from exactly these addresses by that table, and nothing else.
    pub fn set_sources(&self, table: u32, wanted: &[Ipv4Addr]) -> io::Result<()> {
        let has = self.sources(table)?;
        for ip in has.iter().filter(|ip| !wanted.contains(ip)) {
            self.acked(rule(libc::RTM_DELRULE, ACK, table, *ip))?;
        }
        for ip in wanted.iter().filter(|ip| !has.contains(ip)) {
            self.acked(rule(libc::RTM_NEWRULE, ACK | CREATE, table, *ip))?;
        }
        Ok(())
    }

    /// What comes from these addresses is sent by that table.
    fn sources(&self, table: u32) -> io::Result<Vec<Ipv4Addr>> {
        let mut m = Message::new(libc::RTM_GETRULE, DUMP);
        m.raw(&[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut found = Vec::new();
        self.exchange(m, true, |kind, body| {
            let attribute = |wanted: u16| attributes(body.get(RULE..)?).find(|(k, _)| *k == wanted).map(|(_, v)| v);
            let of_table = || attribute(FRA_TABLE) == Some(&table.to_ne_bytes()[..]);
            if kind == libc::RTM_NEWRULE
                && of_table()
                && let Some(&[a, b, c, d]) = attribute(FRA_SRC)
            {
                found.push(Ipv4Addr::new(a, b, c, d));
            }
        })?;
        Ok(found)
    }
}

/// The rule that sends what comes from `ip` by a table. Its priority is the table's number: before
/// the main table's 32766.
fn rule(kind: u16, flags: u16, table: u32, ip: Ipv4Addr) -> Message {
    let mut m = Message::new(kind, flags);
    // family, destination and source lengths, tos, table, two spare bytes, action, flags
    m.raw(&[libc::AF_INET as u8, 0, 32, 0, libc::RT_TABLE_UNSPEC, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0]);
    m.attr(FRA_SRC, &ip.octets());
    m.attr(FRA_TABLE, &table.to_ne_bytes());
    m.attr(FRA_PRIORITY, &table.to_ne_bytes());
    m
}
