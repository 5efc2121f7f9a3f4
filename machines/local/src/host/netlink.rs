//! Links, addresses and routes through rtnetlink, spoken directly.
//!
//! A socket belongs to the namespace it was opened in, so one socket per router
//! is kept and no process is started per change: a machine's whole network
//! takes five messages, under a millisecond. Turned down: `ip -batch` (a process
//! of 2 ms each time) and an async netlink crate (much code for nine messages).

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use parking_lot::Mutex;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

const ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const REPLACE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
const DUMP: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
const VETH_INFO_PEER: u16 = 1;
const NLMSG_HEADER: usize = 16;
const IFINFO: usize = 16;
const IFADDR: usize = 8;
const RULE: usize = 12;
// linux/fib_rules.h
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const FR_ACT_TO_TBL: u8 = 1;

/// A netlink socket of one network namespace.
pub struct Netlink {
    fd: Mutex<OwnedFd>,
}

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
    /// Opens a socket in the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { fd: Mutex::new(fd) })
    }

    /// Makes a bridge with a fixed hardware address, and switches it on.
    pub fn add_bridge(&self, name: &str, mac: [u8; 6]) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK | CREATE);
        m.ifinfo(0, true);
        m.attr(libc::IFLA_IFNAME, &c_name(name));
        m.attr(libc::IFLA_ADDRESS, &mac);
        let info = m.open(libc::IFLA_LINKINFO);
        m.attr(libc::IFLA_INFO_KIND, b"bridge");
        m.close(info);
        self.acked(m)
    }

    /// Makes a virtual cable: this end plugged in and on, the other end off.
    pub fn add_veth(&self, veth: &Veth<'_>) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWLINK, ACK | CREATE);
        m.ifinfo(0, true);
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

    /// Gives a link an address; fine if it has it.
    pub fn add_address(&self, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        self.address(libc::RTM_NEWADDR, ACK | REPLACE, index, ip, prefix)
    }

    /// Takes an address from a link; fine if it does not have it.
    pub fn delete_address(&self, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        match self.address(libc::RTM_DELADDR, ACK, index, ip, prefix) {
            Err(e) if e.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            other => other,
        }
    }

    fn address(&self, kind: u16, flags: u16, index: i32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut m = Message::new(kind, flags);
        let [i0, i1, i2, i3] = index.to_ne_bytes();
        m.raw(&[libc::AF_INET as u8, prefix, 0, 0, i0, i1, i2, i3]);
        m.attr(libc::IFA_LOCAL, &ip.octets());
        m.attr(libc::IFA_ADDRESS, &ip.octets());
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

    /// Sends everything that has no other route to `gateway`.
    pub fn default_route(&self, gateway: Ipv4Addr) -> io::Result<()> {
        let mut m = Message::new(libc::RTM_NEWROUTE, ACK | REPLACE);
        // family, destination and source lengths, tos, table, protocol, scope, type, flags
        let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
        let (scope, kind) = (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST);
        let family = libc::AF_INET as u8;
        m.raw(&[family, 0, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0]);
        m.attr(libc::RTA_GATEWAY, &gateway.octets());
        self.acked(m)
    }

    /// Makes a routing table lead to `block` by a link, and everywhere else by `gateway` on it.
    pub fn own_table(&self, table: u32, index: i32, block: (Ipv4Addr, u8), gateway: Ipv4Addr) -> io::Result<()> {
        let route = |prefix: u8, scope: u8| {
            let mut m = Message::new(libc::RTM_NEWROUTE, ACK | REPLACE);
            let (family, protocol, kind) = (libc::AF_INET as u8, libc::RTPROT_STATIC, libc::RTN_UNICAST);
            // The table's number is too big for the header; the attribute has it.
            m.raw(&[family, prefix, 0, 0, libc::RT_TABLE_UNSPEC, protocol, scope, kind, 0, 0, 0, 0]);
            m.attr(libc::RTA_TABLE, &table.to_ne_bytes());
            m.attr(libc::RTA_OIF, &index.to_ne_bytes());
            m
        };
        let mut near = route(block.1, libc::RT_SCOPE_LINK);
        near.attr(libc::RTA_DST, &block.0.octets());
        self.acked(near)?;
        let mut far = route(0, libc::RT_SCOPE_UNIVERSE);
        far.attr(libc::RTA_GATEWAY, &gateway.octets());
        self.acked(far)
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

    fn acked(&self, message: Message) -> io::Result<()> {
        self.exchange(message, false, |_, _| {})
    }

    /// Sends one message and hands every answer to `each`, up to the end of a
    /// dump or the acknowledgement.
    fn exchange(&self, message: Message, dump: bool, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let wants_ack = message.flags & libc::NLM_F_ACK as u16 != 0;
        let fd = self.fd.lock();
        send(fd.as_raw_fd(), &message.finish(), MsgFlags::empty())?;
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            let length = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = &buffer[..length];
            while rest.len() >= NLMSG_HEADER {
                let size = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                let kind = u16::from_ne_bytes([rest[4], rest[5]]);
                if size < NLMSG_HEADER || size > rest.len() {
                    return Err(io::Error::other("a broken netlink message"));
                }
                let body = &rest[NLMSG_HEADER..size];
                match i32::from(kind) {
                    libc::NLMSG_ERROR if body.len() >= 4 => {
                        let code = i32::from_ne_bytes([body[0], body[1], body[2], body[3]]);
                        if code != 0 {
                            return Err(io::Error::from_raw_os_error(-code));
                        }
                        return Ok(());
                    }
                    libc::NLMSG_DONE => return Ok(()),
                    _ => each(kind, body),
                }
                rest = &rest[size.next_multiple_of(4).min(rest.len())..];
            }
            if !dump && !wants_ack {
                return Ok(());
            }
        }
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

struct Message {
    bytes: Vec<u8>,
    flags: u16,
}

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0u8; NLMSG_HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Self { bytes, flags }
    }
    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    fn ifinfo(&mut self, index: i32, up: bool) {
        let on = if up { libc::IFF_UP as u32 } else { 0 };
        self.raw(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        self.raw(&index.to_ne_bytes());
        self.raw(&on.to_ne_bytes());
        self.raw(&on.to_ne_bytes());
    }
    fn attr(&mut self, kind: u16, value: &[u8]) {
        let at = self.open(kind);
        self.raw(value);
        self.close(at);
    }
    fn open(&mut self, kind: u16) -> usize {
        let at = self.bytes.len();
        self.raw(&[0, 0]);
        self.raw(&kind.to_ne_bytes());
        at
    }
    fn close(&mut self, at: usize) {
        let length = u16::try_from(self.bytes.len() - at).unwrap_or(u16::MAX);
        self.bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
    }
    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

fn c_name(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let size = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & 0x3fff;
        let value = rest.get(4..size)?;
        rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        Some((kind, value))
    })
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
