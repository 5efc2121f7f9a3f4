//! Steering: TCP connections to chosen addresses and ports of this host arrive at one socket.
//!
//! A small program in the kernel (of the kind `sk_lookup`) is asked whenever a packet finds no
//! connection it belongs to. It knows the chosen addresses, each with its open ports as a bitmap:
//!
//! ```text
//! not one of the addresses ──────────► as if the program were not there
//! one of them, TCP, the port is open ─► the socket, whose connections keep the address as their own
//! one of them, else ─────────────────► refused, also where a program of the host listens on all addresses
//! ```
//!
//! It needs no address, route or rule of the host, costs one socket for any number of ports, and
//! the kernel takes it away when the last descriptor is closed, however this process ends. Turned
//! down: a listener per port (a group may open all 65,535 of each address, and where one is closed
//! the host's own sshd would answer in the machine's name), and a redirecting rule of nftables (it
//! outlives a kill, and makes the kernel track every connection of the host).

use nix::libc;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Most addresses at a time: 4,096 × 8 KiB of bitmaps are 32 MiB of the kernel's memory.
pub const MOST: u32 = 4096;

/// A bit for each of 65,536 ports.
#[derive(Clone, PartialEq, Eq)]
pub struct Ports(Box<[u8; 8192]>);

impl Ports {
    /// None.
    pub fn none() -> Self {
        Self(Box::new([0; 8192]))
    }
    /// Opens all from one to another, both included.
    pub fn open(&mut self, from: u16, to: u16) {
        for port in from..=to {
            self.0[usize::from(port >> 3)] |= 1 << (port & 7);
        }
    }
    /// Whether it is open.
    pub fn has(&self, port: u16) -> bool {
        self.0[usize::from(port >> 3)] & 1 << (port & 7) != 0
    }
}

/// The program and what it knows; gone when dropped.
pub struct Steering {
    open: OwnedFd,
    /// Held only: the kernel keeps what has a descriptor.
    _held: [OwnedFd; 3],
}

// linux/bpf.h
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE: libc::c_int = 2;
const MAP_DELETE: libc::c_int = 3;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const MAP_HASH: u32 = 1;
const MAP_SOCKETS: u32 = 15;
const NO_PREALLOC: u32 = 1;
const PROG_SK_LOOKUP: u32 = 30;
const ATTACH_SK_LOOKUP: u32 = 36;
const FN_LOOKUP: i32 = 1;
const FN_RELEASE: i32 = 86;
const FN_ASSIGN: i32 = 124;
/// Where `struct bpf_sk_lookup` has what is asked.
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const LOCAL_IP4: i16 = 40;
const LOCAL_PORT: i16 = 60;

impl Steering {
    /// Loads the program into this process's network, with the socket that it steers to.
    pub fn new() -> io::Result<(Self, TcpListener)> {
        Self::in_network(File::open("/proc/self/ns/net")?)
    }

    fn in_network(network: File) -> io::Result<(Self, TcpListener)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let sockets = map(MAP_SOCKETS, 4, 8, 1, 0)?;
        let open = map(MAP_HASH, 4, 8192, MOST, NO_PREALLOC)?;
        update(&sockets, &0u32.to_ne_bytes(), &u64::try_from(listener.as_raw_fd()).unwrap_or(u64::MAX).to_ne_bytes())?;
        let program = load(&program(open.as_raw_fd(), sockets.as_raw_fd()))?;
        let mut link = Attributes::default();
        link.u32(fd(&program)).u32(fd(&network)).u32(ATTACH_SK_LOOKUP).u32(0);
        let link = made(link.call(LINK_CREATE)?);
        Ok((Self { open, _held: [sockets, program, link] }, listener))
    }

    /// Makes an address one of those that are steered, with these ports open.
    pub fn set(&self, ip: Ipv4Addr, ports: &Ports) -> io::Result<()> {
        update(&self.open, &ip.octets(), &ports.0[..])
    }

    /// Leaves an address alone again. Fine if it is not one of them.
    pub fn forget(&self, ip: Ipv4Addr) -> io::Result<()> {
        let key = ip.octets();
        let mut attributes = Attributes::default();
        attributes.u32(fd(&self.open)).u32(0).pointer(key.as_ptr());
        match attributes.call(MAP_DELETE) {
            Err(e) if e.raw_os_error() != Some(libc::ENOENT) => Err(e),
            _ => Ok(()),
        }
    }
}

fn fd(of: &impl AsRawFd) -> u32 {
    u32::try_from(of.as_raw_fd()).unwrap_or(u32::MAX)
}

fn made(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) }
}

/// A `union bpf_attr`, filled from its start.
#[derive(Default)]
struct Attributes(Vec<u8>);

impl Attributes {
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_ne_bytes());
        self
    }
    fn pointer(&mut self, to: *const u8) -> &mut Self {
        self.0.extend((to as u64).to_ne_bytes());
        self
    }
    /// The kernel's answer. What the pointers point at must live until then.
    fn call(&self, command: libc::c_int) -> io::Result<libc::c_long> {
        // Eight bytes each, for their place in memory.
        let mut words: Vec<u64> = vec![0; 18];
        for (n, byte) in self.0.iter().enumerate() {
            words[n / 8] |= u64::from(*byte) << (n % 8 * 8);
        }
        // SAFETY: the structure is as long as said, and the kernel checks all that is in it.
        let done = unsafe { libc::syscall(libc::SYS_bpf, command, words.as_ptr(), words.len() * 8) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
    }
}

fn map(kind: u32, key: u32, value: u32, most: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attributes = Attributes::default();
    attributes.u32(kind).u32(key).u32(value).u32(most).u32(flags);
    attributes.call(MAP_CREATE).map(made)
}

fn update(map: &OwnedFd, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut attributes = Attributes::default();
    attributes.u32(fd(map)).u32(0).pointer(key.as_ptr()).pointer(value.as_ptr());
    attributes.call(MAP_UPDATE).map(|_| ())
}

fn load(code: &[u64]) -> io::Result<OwnedFd> {
    let license = c"Apache-2.0";
    let length = u32::try_from(code.len()).unwrap_or(u32::MAX);
    let mut attributes = Attributes::default();
    attributes.u32(PROG_SK_LOOKUP).u32(length).pointer(code.as_ptr().cast()).pointer(license.as_ptr().cast());
    // Log level, size and buffer; kernel version; flags; sixteen bytes of name; interface.
    attributes.u32(0).u32(0).pointer(std::ptr::null()).u32(0).u32(0);
    attributes.0.extend(b"kiln_steering\0\0\0");
    attributes.u32(0).u32(ATTACH_SK_LOOKUP);
    attributes.call(PROG_LOAD).map(made)
}

/// One instruction: code, registers, offset, immediate.
fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> u64 {
    let registers = u64::from(to | from << 4) << 8;
    u64::from(code) | registers | u64::from(offset as u16) << 16 | u64::from(value as u32) << 32
}

/// The program; registers: 0 answers, 1–5 arguments, 6–9 kept, 10 the stack.
fn program(open: RawFd, sockets: RawFd) -> Vec<u64> {
    let (to_pass, to_drop) = (39usize, 41usize);
    let mut code: Vec<u64> = Vec::new();
    let add = |code: &mut Vec<u64>, op: u8, to: u8, from: u8, offset: i16, value: i32| {
        code.push(instruction(op, to, from, offset, value));
    };
    // Jumps forward, unless (0x55) or if (0x15) a register has that value.
    let jump = |code: &mut Vec<u64>, op: u8, register: u8, value: i32, target: usize| {
        let distance = i16::try_from(target - code.len() - 1).expect("the program is shorter than that");
        code.push(instruction(op, register, 0, distance, value));
    };
    let c = &mut code;
    add(c, 0xbf, 6, 1, 0, 0); // r6 = what is asked about
    add(c, 0x61, 2, 1, FAMILY, 0);
    jump(c, 0x55, 2, libc::AF_INET, to_pass);
    add(c, 0x61, 2, 1, LOCAL_IP4, 0);
    add(c, 0x63, 10, 2, -4, 0); // the key, on the stack
    add(c, 0x18, 1, 1, 0, open);
    add(c, 0, 0, 0, 0, 0);
    add(c, 0xbf, 2, 10, 0, 0);
    add(c, 0x07, 2, 0, 0, -4);
    add(c, 0x85, 0, 0, 0, FN_LOOKUP);
    jump(c, 0x15, 0, 0, to_pass); // not one of the addresses
    add(c, 0x61, 2, 6, PROTOCOL, 0);
    jump(c, 0x55, 2, libc::IPPROTO_TCP, to_drop);
    add(c, 0x61, 2, 6, LOCAL_PORT, 0);
    add(c, 0xbf, 3, 2, 0, 0);
    add(c, 0x77, 3, 0, 0, 3);
    add(c, 0x57, 3, 0, 0, 0x1fff);
    add(c, 0x0f, 0, 3, 0, 0);
    add(c, 0x71, 4, 0, 0, 0); // r4 = the byte that has the port's bit
    add(c, 0x57, 2, 0, 0, 7);
    add(c, 0x7f, 4, 2, 0, 0);
    add(c, 0x57, 4, 0, 0, 1);
    jump(c, 0x15, 4, 0, to_drop); // closed
    add(c, 0x62, 10, 0, -4, 0);
    add(c, 0x18, 1, 1, 0, sockets);
    add(c, 0, 0, 0, 0, 0);
    add(c, 0xbf, 2, 10, 0, 0);
    add(c, 0x07, 2, 0, 0, -4);
    add(c, 0x85, 0, 0, 0, FN_LOOKUP);
    jump(c, 0x15, 0, 0, to_drop); // the socket is gone
    add(c, 0xbf, 7, 0, 0, 0);
    add(c, 0xbf, 1, 6, 0, 0);
    add(c, 0xbf, 2, 0, 0, 0);
    add(c, 0xb7, 3, 0, 0, 0);
    add(c, 0x85, 0, 0, 0, FN_ASSIGN);
    add(c, 0xbf, 8, 0, 0, 0);
    add(c, 0xbf, 1, 7, 0, 0);
    add(c, 0x85, 0, 0, 0, FN_RELEASE);
    jump(c, 0x55, 8, 0, to_drop);
    add(c, 0xb7, 0, 0, 0, 1); // pass
    add(c, 0x95, 0, 0, 0, 0);
    add(c, 0xb7, 0, 0, 0, 0); // drop
    add(c, 0x95, 0, 0, 0, 0);
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{netlink::Netlink, netns};
    use nix::sched::{CloneFlags, unshare};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    #[test]
    fn open_ports_are_steered_and_closed_ones_refused() {
        let ns = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            OwnedFd::from(File::open("/proc/thread-self/ns/net").unwrap())
        });
        let ns = ns.join().unwrap();
        let seen = netns::inside(&ns, || {
            let netlink = Netlink::open()?;
            netlink.switch_on(netlink.link("lo")?.index)?;
            let _of_the_host = TcpListener::bind("0.0.0.0:23")?;
            let (steering, listener) = in_this_thread()?;
            let ip = Ipv4Addr::new(127, 200, 3, 4);
            let mut ports = Ports::none();
            ports.open(22, 22);
            ports.open(65535, 65535);
            steering.set(ip, &ports)?;
            let reach = |ip: Ipv4Addr, port| TcpStream::connect((ip, port)).map(|s| s.local_addr().unwrap().ip());
            let open = [22, 65535].map(|port| reach(ip, port).is_ok());
            listener.set_nonblocking(false)?;
            let at = listener.accept()?.0.local_addr()?;
            let closed = [21, 23, 80].map(|port| reach(ip, port).is_err());
            let other = reach(Ipv4Addr::new(127, 200, 3, 5), 23).is_ok();
            steering.forget(ip)?;
            steering.forget(ip)?;
            let after = (reach(ip, 22).is_err(), reach(ip, 23).is_ok());
            steering.set(ip, &ports)?;
            drop(steering);
            // A child that another test has just forked holds all descriptors until it becomes a program.
            let until = Instant::now() + Duration::from_secs(10);
            while reach(ip, 22).is_ok() && Instant::now() < until {
                std::thread::yield_now();
            }
            Ok((open, at.to_string(), closed, other, after, reach(ip, 22).is_err()))
        });
        let expected = ([true; 2], "127.200.3.4:22".to_owned(), [true; 3], true, (true, true), true);
        assert_eq!(seen.unwrap(), expected);
    }

    /// `/proc/self` is the process's first thread, which is elsewhere.
    fn in_this_thread() -> io::Result<(Steering, TcpListener)> {
        Steering::in_network(File::open("/proc/thread-self/ns/net")?)
    }
}
