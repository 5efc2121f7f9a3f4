//! One machine cannot take another's place in its subnet: no frame it sends moves anybody, and
//! what it asks for fills no table of the host.

use crate::given::*;
use kiln_machines_spec::*;
use nix::libc;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

const VICTIM: &str = "10.0.1.10";
const THIEF: &str = "10.0.1.11";
const GATEWAY: &str = "10.0.1.1";
const EVERYBODY: [u8; 6] = [0xff; 6];
/// Where bridges talk about themselves (LLDP): no bridge passes it on.
const BRIDGES: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];

fn mac(address: &str) -> [u8; 6] {
    MacAddr::from_ip(ip(address)).0
}

/// Runs something on a thread of its own in the network namespace of that file.
fn inside<T: Send + 'static>(namespace: PathBuf, work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = std::thread::spawn(move || {
        setns(File::open(namespace).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
        work()
    });
    done.join().unwrap()
}

async fn network_of(given: &Given, id: &str) -> PathBuf {
    match given.driver.observe(&id.into()).await.unwrap().state {
        MachineState::Running { pid, .. } => format!("/proc/{pid}/ns/net").into(),
        other => panic!("{id} is {other:?}"),
    }
}

/// A socket on eth0 that sends and hears whole frames.
fn wire(namespace: PathBuf) -> OwnedFd {
    inside(namespace, || {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let wire = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
        let index = nix::net::if_::if_nametoindex("eth0").unwrap();
        // SAFETY: plain numbers, all of which may be zero.
        let mut at: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        at.sll_family = libc::AF_PACKET as u16;
        at.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        at.sll_ifindex = i32::try_from(index).unwrap();
        let size = libc::socklen_t::try_from(size_of_val(&at)).unwrap();
        // SAFETY: an address of that size, read during the call only.
        let bound = unsafe { libc::bind(wire.as_raw_fd(), (&raw const at).cast(), size) };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        wire
    })
}

fn frame(to: [u8; 6], from: [u8; 6], kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from[..], &kind.to_be_bytes()[..], body].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// `who` asks for, or tells about, an address.
fn arp(asks: bool, who: ([u8; 6], &str), about: ([u8; 6], &str)) -> Vec<u8> {
    let kind = [0, 1, 8, 0, 6, 4, 0, if asks { 1 } else { 2 }];
    [&kind[..], &who.0, &ip(who.1).octets(), &about.0, &ip(about.1).octets()].concat()
}

/// An IPv4 packet of UDP.
fn packet(from: &str, to: &str) -> Vec<u8> {
    let mut head = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    head.extend(ip(from).octets());
    head.extend(ip(to).octets());
    let sum = head.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    head.extend([0, 9, 0, 9, 0, 8, 0, 0]);
    head
}

/// What turned or emptied a bridge's or a machine's idea of who is where, one after the other.
fn lies() -> Vec<(&'static str, Vec<u8>)> {
    let (victim, thief, gateway) = (mac(VICTIM), mac(THIEF), mac(GATEWAY));
    let of_all = (EVERYBODY, VICTIM);
    vec![
        ("LLDP as the victim", frame(BRIDGES, victim, 0x88cc, &[2, 7, 4, 0])),
        ("spanning tree as the victim", frame([1, 0x80, 0xc2, 0, 0, 0], victim, 38, &[0x42, 0x42, 3])),
        (
            "a question of its own in the victim's frame",
            frame(EVERYBODY, victim, 0x806, &arp(true, (thief, THIEF), of_all)),
        ),
        ("the same to the gateway", frame(gateway, victim, 0x806, &arp(true, (thief, THIEF), ([0; 6], GATEWAY)))),
        ("I am the victim", frame(EVERYBODY, thief, 0x806, &arp(false, (thief, VICTIM), of_all))),
        ("the victim is me", frame(gateway, thief, 0x806, &arp(false, (thief, VICTIM), (gateway, GATEWAY)))),
        ("I am the gateway", frame(victim, thief, 0x806, &arp(false, (thief, GATEWAY), (victim, VICTIM)))),
        (
            "the gateway is me, in its own frame",
            frame(victim, gateway, 0x806, &arp(false, (gateway, GATEWAY), (victim, VICTIM))),
        ),
        ("the whole lie", frame(EVERYBODY, victim, 0x806, &arp(true, (victim, VICTIM), (EVERYBODY, GATEWAY)))),
        ("a packet in the victim's frame", frame(gateway, victim, 0x800, &packet(THIEF, GATEWAY))),
        ("a packet to all", frame(EVERYBODY, victim, 0x800, &packet(THIEF, "10.0.1.255"))),
        ("a packet from the victim", frame(gateway, thief, 0x800, &packet(VICTIM, GATEWAY))),
        ("IPv6 as the victim", frame([0x33, 0x33, 0, 0, 0, 1], victim, 0x86dd, &[0x60, 0, 0, 0, 0, 0, 59, 255])),
        ("a tagged frame", frame(EVERYBODY, victim, 0x8100, &[0, 1, 8, 6])),
        ("an unknown kind", frame(gateway, victim, 0x88b5, &[0])),
    ]
}

/// Frames waiting at that wire which are for the victim, by hardware or IPv4 address.
fn overheard(wire: &OwnedFd) -> usize {
    let (mut buffer, mut count) = ([0u8; 2048], 0);
    while let Ok(length) = recv(wire.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
        let frame = &buffer[..length.min(buffer.len())];
        let to_it = frame[..6] == mac(VICTIM) || frame.len() >= 34 && frame[30..34] == ip(VICTIM).octets();
        // What it sends itself it hears too.
        count += usize::from(to_it && frame[6..12] != mac(THIEF) && frame[6..12] != mac(VICTIM));
    }
    count
}

/// Tells every lie, and lets the victim be asked after each.
async fn tell_lies(given: &Given, network: &str) {
    let wire = wire(network_of(given, "i-thief").await);
    for (what, frame) in lies() {
        for _ in 0..3 {
            send(wire.as_raw_fd(), &frame, MsgFlags::empty()).unwrap();
        }
        let page = given.get(None, &format!("{VICTIM}:80")).await;
        assert!(page.is_ok(), "{network}, {what}: {page:?}");
        assert_eq!(overheard(&wire), 0, "{network}, {what}: the thief heard the victim's packets");
    }
}

/// What `ip` or `bridge` shows of the router.
fn shown(given: &Given, command: &'static [&'static str]) -> String {
    let namespace = given.state().join("run/mnt/netns").join(VPC);
    let done = inside(namespace, move || std::process::Command::new(command[0]).args(&command[1..]).output().unwrap());
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_takes_a_neighbours_traffic() {
    let mut given = given().await;
    let mut network = given.launch(&[("i-victim", VICTIM, &["web"]), ("i-thief", THIEF, &["web"])]).await;
    tell_lies(&given, "as launched").await;
    // A machine that may forward what is not its own is as little believed about who it is.
    network.interfaces[1].source_dest_check = false;
    given.driver.apply_network(&network).await.unwrap();
    tell_lies(&given, "without the check of addresses").await;
    network.interfaces[1].source_dest_check = true;
    given.driver.apply_network(&network).await.unwrap();
    // Booted again, and found again by the next kiln.
    given.driver.reboot(&"i-victim".into()).await.unwrap();
    tell_lies(&given, "after a reboot").await;
    given.replace_driver(async |driver| drop(driver)).await;
    given.driver.adopt().await.unwrap();
    given.driver.apply_network(&network).await.unwrap();
    tell_lies(&given, "after a kill").await;
    given.ends().await;
}

/// The same for an interface that is plugged into a running machine, at all of its addresses.
#[tokio::test(flavor = "multi_thread")]
async fn an_attached_interface_is_as_fast_in_its_place() {
    let given = given().await;
    let network = given.launch(&[("i-other", "10.0.2.20", &["web"]), ("i-thief", THIEF, &["web"])]).await;
    let mut network = with(network, VICTIM, &["web"], machine("i-other"));
    network.interfaces[2].secondary = vec![SecondaryAddress { ip: ip("10.0.1.12"), internet: false, public: None }];
    given.driver.apply_network(&network).await.unwrap();
    let second = ExtraInterface {
        device: 1,
        vpc: VPC.into(),
        subnet: "subnet-a".into(),
        ip: ip(VICTIM),
        mac: MacAddr::from_ip(ip(VICTIM)),
        secondary_ips: vec![ip("10.0.1.12")],
    };
    given.driver.set_interfaces(&"i-other".into(), vec![], vec![second]).await.unwrap();
    tell_lies(&given, "attached").await;
    assert!(given.get(None, "10.0.1.12:80").await.is_ok());
    // What is detached is forgotten: its place is free for another machine.
    given.driver.set_interfaces(&"i-other".into(), vec![], vec![]).await.unwrap();
    network.interfaces.pop();
    given.driver.apply_network(&network).await.unwrap();
    assert!(!shown(&given, &["ip", "neigh", "show", "nud", "all"]).contains(VICTIM));
    assert!(!shown(&given, &["bridge", "fdb"]).contains(&MacAddr::from_ip(ip(VICTIM)).to_string()));
    given.ends().await;
}

/// Every port is closed, every place is written down, and a machine has one neighbour.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_fills_no_table() {
    let given = given().await;
    given.launch(&[("i-victim", VICTIM, &["web"]), ("i-thief", THIEF, &["web"])]).await;
    let scan = move || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        for n in 0..4096u32 {
            // Its subnet, and the rest of the VPC.
            let to = Ipv4Addr::from(u32::from(ip("10.0.1.0")) + n % 512);
            // That some of these cannot be sent to is not the point.
            let _ = socket.send_to(b"?", (to, 9));
        }
        std::fs::read_to_string("/proc/thread-self/net/arp").unwrap()
    };
    let known = inside(network_of(&given, "i-thief").await, scan);
    let asked: Vec<&str> = known.lines().skip(1).filter(|line| !line.ends_with(" lo")).collect();
    assert_eq!(asked.len(), 1, "{known}");
    assert!(asked[0].starts_with(GATEWAY), "{known}");
    // A machine that asks its neighbours itself is answered by the bridge, by nobody else.
    given.out("i-thief", "/bin/busybox ip route replace 10.0.1.0/24 dev eth0").await;
    assert!(given.out("i-thief", &format!("echo 'GET / HTTP/1.0\n' | nc -w 2 {VICTIM} 80")).await.contains("hello"));
    let heard = wire(network_of(&given, "i-victim").await);
    given.sh("i-thief", "echo | nc -w 1 10.0.1.99 80").await;
    let mut buffer = [0u8; 2048];
    while let Ok(length) = recv(heard.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        assert_ne!(buffer[12..14], [8, 6], "a question came through: {:?}", &buffer[..length]);
    }

    let learned = shown(&given, &["ip", "-4", "neigh", "show", "nud", "all"]);
    for line in learned.lines() {
        assert!(line.trim_end().ends_with("PERMANENT"), "{learned}");
    }
    let forwarding = shown(&given, &["bridge", "fdb"]);
    let of_cables = forwarding.lines().filter(|line| line.contains(" dev m") && line.contains("master"));
    for line in of_cables {
        assert!(line.ends_with("static") || line.ends_with("permanent") || line.contains("sticky"), "{forwarding}");
    }
    let ports = shown(&given, &["bridge", "-d", "link"]);
    let closed = "learning off flood off mcast_flood off bcast_flood off";
    assert_eq!(ports.matches(closed).count(), 2, "{ports}");
    // What stops when the table is full is not in it: loopback, the host's own and the router's.
    let loopback = std::process::Command::new("ip").args(["neigh", "show", "dev", "lo", "nud", "permanent"]).output();
    assert!(String::from_utf8_lossy(&loopback.unwrap().stdout).contains("0.0.0.0"));
    given.ends().await;
}
