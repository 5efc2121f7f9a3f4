//! The door from the host into its VPCs: public addresses, each one of the host's loopback.
//!
//! ```text
//! ssh admin@127.130.7.9 ─► steering (`host/steer.rs`): is 22 open there? ─► the door's socket
//!     ─► a connection from HOST_IP in the VPC's namespace to the machine ─► the security groups judge
//! ```
//!
//! Nothing is decided here that the rules do not decide once more for each packet: a port is open
//! where the machine's groups let the host in, so that what is closed is refused at once; what
//! happens to open connections when a rule goes is the rules' business (`firewall`). Connections
//! to an address end when it is taken from its machine.

use super::firewall::{self, HOST_IP};
use super::router::{self, Router};
use crate::host::steer::{Ports, Steering};
use kiln_machines_spec::{Direction, InterfaceOwner, Protocol, VpcId, VpcSpec};
use nix::sys::socket::{setsockopt, sockopt};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections at a time, to one address and to all: 4,096 × 2 descriptors are 8,192 of the 20,000
/// that a process may have where the limit is low.
const PER_ADDRESS: usize = 1024;
const IN_ALL: usize = 4096;
/// How long a machine may take to answer before a caller is told that it does not.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this silence the other side is asked whether it is still there, and at such distances again.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// See the module's head.
pub struct Door {
    inner: Mutex<Inner>,
    all: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    steering: Option<Steering>,
    /// It was tried once and this kernel cannot.
    refused: bool,
    places: BTreeMap<Ipv4Addr, Place>,
}

/// Where a public address leads.
struct Place {
    router: Arc<Router>,
    vpc: VpcId,
    ip: Ipv4Addr,
    ports: Ports,
    slots: Arc<Semaphore>,
    /// Its connections end when this is dropped.
    lives: watch::Sender<()>,
}

/// Where one connection goes.
struct Way {
    router: Arc<Router>,
    to: SocketAddrV4,
    ends: watch::Receiver<()>,
    _slots: [OwnedSemaphorePermit; 2],
}

impl Door {
    /// A door without addresses.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), all: Arc::new(Semaphore::new(IN_ALL)) })
    }

    /// Makes the public addresses of a VPC be these. Called in a runtime. What this kernel cannot
    /// is said once, in the log: a VPC works without being reached from the host.
    pub fn set(self: &Arc<Self>, router: &Arc<Router>, spec: &VpcSpec) {
        let host = router::host_addresses();
        let host = host.inspect_err(|error| tracing::warn!(%error, "the host's addresses are not known"));
        self.change(&spec.id, open_from_host(spec, &host.unwrap_or_default()), Some(router));
    }

    /// Forgets the public addresses of a VPC.
    pub fn forget(self: &Arc<Self>, vpc: &VpcId) {
        self.change(vpc, BTreeMap::new(), None);
    }

    fn change(
        self: &Arc<Self>,
        vpc: &VpcId,
        wanted: BTreeMap<Ipv4Addr, (Ipv4Addr, Ports)>,
        router: Option<&Arc<Router>>,
    ) {
        let mut inner = self.inner.lock();
        if !wanted.is_empty() && inner.steering.is_none() && !inner.refused {
            match self.open() {
                Ok(steering) => inner.steering = Some(steering),
                Err(error) => {
                    inner.refused = true;
                    tracing::warn!(%error, "this kernel cannot steer connections: public addresses are not reached from this host");
                }
            }
        }
        let Inner { steering: Some(steering), places, .. } = &mut *inner else { return };
        let stays = |ip: &Ipv4Addr, place: &Place| wanted.get(ip).is_some_and(|(private, _)| *private == place.ip);
        let gone: Vec<Ipv4Addr> =
            places.iter().filter(|(ip, p)| p.vpc == *vpc && !stays(ip, p)).map(|(ip, _)| *ip).collect();
        for ip in gone {
            places.remove(&ip);
            tell(ip, steering.forget(ip));
        }
        let Some(router) = router else { return };
        for (ip, (private, ports)) in wanted {
            match places.get_mut(&ip) {
                Some(place) if place.vpc == *vpc && place.ports == ports => continue,
                Some(place) if place.vpc == *vpc => place.ports = ports.clone(),
                _ => {
                    let slots = Arc::new(Semaphore::new(PER_ADDRESS));
                    let (router, vpc, lives) = (router.clone(), vpc.clone(), watch::Sender::new(()));
                    places.insert(ip, Place { router, vpc, ip: private, ports: ports.clone(), slots, lives });
                }
            }
            tell(ip, steering.set(ip, &ports));
        }
    }

    fn open(self: &Arc<Self>) -> io::Result<Steering> {
        let (steering, listener) = Steering::new()?;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(serve(Arc::downgrade(self), listener));
        Ok(steering)
    }

    /// Where a connection to that address goes, if it is a public one and there is room.
    fn enter(&self, at: SocketAddr) -> Option<Way> {
        let SocketAddr::V4(at) = at else { return None };
        let inner = self.inner.lock();
        let place = inner.places.get(at.ip()).filter(|place| place.ports.has(at.port()))?;
        let slots = [place.slots.clone().try_acquire_owned().ok()?, self.all.clone().try_acquire_owned().ok()?];
        let to = SocketAddrV4::new(place.ip, at.port());
        Some(Way { router: place.router.clone(), to, ends: place.lives.subscribe(), _slots: slots })
    }
}

/// A failure here leaves the address as it was; the next change of its VPC tries again.
fn tell(ip: Ipv4Addr, done: io::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%ip, %error, "a public address could not be changed");
    }
}

/// The public addresses of a VPC's machines: where each leads, and which ports the host may try.
fn open_from_host(spec: &VpcSpec, host: &BTreeSet<Ipv4Addr>) -> BTreeMap<Ipv4Addr, (Ipv4Addr, Ports)> {
    let mut all = BTreeMap::new();
    for interface in &spec.interfaces {
        if !matches!(interface.owner, InterfaceOwner::Machine { .. }) {
            continue;
        }
        let mut ports = Ports::none();
        let groups = spec.groups.iter().filter(|group| interface.groups.contains(&group.id));
        for rule in groups.flat_map(|group| &group.rules) {
            if rule.direction != Direction::Ingress || !firewall::admits_host(&rule.peer, host) {
                continue;
            }
            match rule.protocol {
                Protocol::All => ports.open(1, u16::MAX),
                Protocol::Tcp { ports: range } => ports.open(range.from.max(1), range.to),
                _ => {}
            }
        }
        all.extend(interface.public_addresses().map(|(public, private)| (public, (private, ports.clone()))));
    }
    all
}

async fn serve(door: Weak<Door>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A process that was just forked may have the steering for a moment longer than its door lives.
                let Some(door) = door.upgrade() else { return refuse(stream) };
                match stream.local_addr().ok().and_then(|at| door.enter(at)) {
                    Some(way) => drop(tokio::spawn(carry(stream, way))),
                    None => refuse(stream),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection to a public address");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Carries one connection until either side ends it. One that is cut is reset: to many a client a
/// connection that ends in order is an answer that is whole.
async fn carry(mut outside: TcpStream, mut way: Way) {
    let mut inside = match way.router.dial(Some(HOST_IP), way.to, PATIENCE).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(to = %way.to, error = error.chain(), "a machine did not answer at its public address");
            return refuse(outside);
        }
    };
    for stream in [&outside, &inside] {
        if let Err(error) = prepare(stream) {
            tracing::debug!(%error, "a connection goes on without its options");
        }
    }
    let ended = tokio::select! {
        ended = tokio::io::copy_bidirectional(&mut outside, &mut inside) => ended.is_ok(),
        _ = way.ends.changed() => false,
    };
    if !ended {
        refuse(outside);
        refuse(inside);
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    let seconds = u32::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u32::MAX);
    setsockopt(stream, sockopt::TcpKeepIdle, &seconds)?;
    Ok(setsockopt(stream, sockopt::TcpKeepInterval, &seconds)?)
}

/// Ends a connection as one that was refused or cut: with a reset.
fn refuse(stream: TcpStream) {
    let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    if let Err(error) = setsockopt(&stream, sockopt::Linger, &now) {
        tracing::debug!(%error, "a connection is closed, not reset");
    }
}
