//! Links, addresses, routes and neighbours through rtnetlink, spoken directly.
//!
//! A socket belongs to the namespace it was opened in, so one socket per router
//! is kept and no process is started per change: a machine's whole network
//! takes a dozen messages, about a millisecond. Turned down: `ip -batch` (a process
//! of 2 ms each time) and an async netlink crate (much code for a dozen messages).

mod links;
mod neighbours;
mod routes;

pub use links::{Counters, Link, Veth};
pub use routes::MAIN_TABLE;

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use parking_lot::Mutex;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

const ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const REPLACE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
const APPEND: u16 = (libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;
const DUMP: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
const NLMSG_HEADER: usize = 16;

/// A netlink socket of one network namespace.
pub struct Netlink {
    fd: Mutex<OwnedFd>,
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { fd: Mutex::new(fd) })
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
    /// A link whose switch stays as it is.
    fn link(&mut self, index: i32) {
        self.raw(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        self.raw(&index.to_ne_bytes());
        self.raw(&[0; 8]);
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

fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let size = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & 0x3fff;
        let value = rest.get(4..size)?;
        rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        Some((kind, value))
    })
}
