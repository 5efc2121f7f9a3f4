//! One VPC's router: its namespace, bridges, addresses, rules and sockets.

use super::acls;
use super::firewall::{self, DNS_IP, HOST_IP, METADATA_IP};
use super::internet::{self, Internet, TAP};
use crate::host::child::{self, Surroundings};
use crate::host::netlink::{Link, Netlink};
use crate::host::netns::{self, SocketKind, SocketMaker};
use crate::host::{files, mounts};
use kiln_machines_spec::{
    DriverError, DriverResult, InterfaceOwner, MacAddr, SubnetId, SubnetSpec, VpcId, VpcSpec, ZoneName,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// A VPC's router.
pub struct Router {
    pub(super) id: VpcId,
    record: PathBuf,
    namespace: PathBuf,
    ns: Arc<OwnedFd>,
    pub(super) netlink: Netlink,
    sockets: SocketMaker,
    internet: Internet,
    pub(super) state: Mutex<State>,
}

/// What was applied last; kept in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) spec: VpcSpec,
    cut: BTreeSet<ZoneName>,
    /// The rule set that is loaded; empty after a restart.
    #[serde(skip)]
    loaded: String,
    /// Bridges by subnet.
    #[serde(skip)]
    pub(super) bridges: BTreeMap<SubnetId, i32>,
    /// It was taken down; whoever still holds it must not build it up again.
    #[serde(skip)]
    removed: bool,
}

/// Switches of the router's namespace.
const SYSCTLS: [(&str, &str); 10] = [
    ("net/ipv4/ip_forward", "1"),
    ("net/bridge/bridge-nf-call-iptables", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    // A load balancer opens many connections to few targets.
    ("net/ipv4/ip_local_port_range", "1024 65535"),
    ("net/ipv4/tcp_tw_reuse", "1"),
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", "10"),
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
];

fn is_bridge(link: &&Link) -> bool {
    link.name.len() == 9 && link.name.starts_with('b')
}

fn bridge_name(subnet: &SubnetSpec) -> String {
    format!("b{:08x}", u32::from(subnet.cidr.base()))
}

impl Router {
    /// The router of `spec`'s VPC, made if it does not exist. Call
    /// [`Router::apply`] next.
    pub fn open(spec: &VpcSpec, records: &Path, namespaces: &Path) -> DriverResult<Self> {
        let doing = || format!("make the router of {}", spec.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let namespace = namespaces.join(spec.id.as_str());
        let mounted = mounts::mounts_under(&namespace).map_err(failed)?;
        let ns = if mounted.is_empty() {
            netns::make(&namespace).map_err(failed)?
        } else {
            File::open(&namespace).map_err(failed)?.into()
        };
        // Also one that was found: whoever made it may have been killed before this.
        netns::inside(&ns, prepare).map_err(failed)?;
        let netlink = netns::inside(&ns, Netlink::open).map_err(failed)?;
        let ns = Arc::new(ns);
        Ok(Self {
            id: spec.id.clone(),
            record: records.join(format!("{}.json", spec.id)),
            sockets: SocketMaker::start(ns.clone()).map_err(failed)?,
            internet: Internet::new(&namespaces.join(spec.id.as_str())),
            namespace,
            ns,
            netlink,
            state: Mutex::new(State {
                spec: VpcSpec { subnets: Vec::new(), groups: Vec::new(), interfaces: Vec::new(), ..spec.clone() },
                cut: BTreeSet::new(),
                loaded: String::new(),
                bridges: BTreeMap::new(),
                removed: false,
            }),
        })
    }

    /// The VPCs that were applied once, with the zones that are cut.
    pub fn recorded(records: &Path) -> DriverResult<Vec<(VpcSpec, BTreeSet<ZoneName>)>> {
        let mut all = Vec::new();
        for name in files::names_in(records)? {
            if name.ends_with(".json") {
                let state: Option<State> = files::read_json(&records.join(name))?;
                all.extend(state.map(|s| (s.spec, s.cut)));
            }
        }
        Ok(all)
    }

    /// As last applied.
    pub fn spec(&self) -> VpcSpec {
        self.state.lock().spec.clone()
    }

    /// Makes it be so.
    pub fn apply(&self, spec: &VpcSpec, cut: Option<&BTreeSet<ZoneName>>) -> DriverResult<()> {
        let mut state = self.state.lock();
        if state.removed {
            return Err(DriverError::not_found("network", &self.id));
        }
        let cut = cut.unwrap_or(&state.cut).clone();
        check(spec)?;
        let doing = |what: &str| format!("{what} of {}", self.id);
        state.bridges = self.apply_bridges(spec).map_err(|e| DriverError::failed(doing("make the bridges"), e))?;
        self.apply_own_addresses(spec).map_err(|e| DriverError::failed(doing("give the router the addresses"), e))?;
        let bridges = &state.bridges;
        self.apply_neighbours(spec, bridges).map_err(|e| DriverError::failed(doing("name the neighbours"), e))?;
        if state.loaded.is_empty() {
            self.close_ports(spec).map_err(|e| DriverError::failed(doing("close the ports"), e))?;
        }
        // Rules before the way out: nothing may pass unchecked in between.
        let host = host_addresses().map_err(|e| DriverError::failed("list the host's addresses", e))?;
        let rules = firewall::rules(spec, &cut, &host) + &acls::rules(spec, &host);
        if state.loaded != rules {
            self.load(&rules)?;
            state.loaded = rules;
        }
        if spec.subnets.iter().any(|s| s.internet) {
            self.internet.start()?;
            let way = self
                .netlink
                .link(TAP)
                .and_then(|tap| self.netlink.set_neighbour(tap.index, internet::GATEWAY.into(), internet::GATEWAY_MAC));
            way.map_err(|e| DriverError::failed(doing("name the way to the internet"), e))?;
        } else {
            self.internet.stop()?;
        }
        state.spec = spec.clone();
        state.cut = cut;
        files::write_json(&self.record, &*state)
    }

    /// Cuts a zone off, or joins it again.
    pub fn cut(&self, zone: &ZoneName, cut: bool) -> DriverResult<()> {
        let (spec, mut zones) = {
            let state = self.state.lock();
            (state.spec.clone(), state.cut.clone())
        };
        if cut {
            zones.insert(zone.clone());
        } else {
            zones.remove(zone);
        }
        self.apply(&spec, Some(&zones))
    }

    fn apply_bridges(&self, spec: &VpcSpec) -> io::Result<BTreeMap<SubnetId, i32>> {
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
    fn apply_neighbours(&self, spec: &VpcSpec, bridges: &BTreeMap<SubnetId, i32>) -> io::Result<()> {
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
    fn apply_own_addresses(&self, spec: &VpcSpec) -> io::Result<()> {
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

    fn load(&self, rules: &str) -> DriverResult<()> {
        let mut nft = child::command("nft")?;
        nft.args(["-f", "-"]);
        // What a killed kiln still had to load must not come after what the next one loads.
        let around = Surroundings { dies_with_kiln: true, ..Surroundings::default() };
        around.apply(&mut nft);
        let doing = format!("load the security groups of {}", self.id);
        let (text, context) = (rules.to_owned(), doing.clone());
        let result = netns::inside(&self.ns, move || Ok(child::run(&mut nft, &context, text.as_bytes())));
        result.map_err(|e| DriverError::failed(doing, e))??;
        Ok(())
    }

    /// Lets go of namespaces that belong to no known VPC.
    pub fn remove_unknown(namespaces: &Path, is_known: impl Fn(&str) -> bool) -> DriverResult<()> {
        for name in files::names_in(namespaces)? {
            let vpc = name.strip_suffix(".slirp.json");
            let vpc = vpc.or_else(|| name.strip_suffix(".slirp.log"));
            let vpc = vpc.unwrap_or(&name);
            if is_known(vpc) {
                continue;
            }
            let at = namespaces.join(vpc);
            Internet::new(&at).stop()?;
            mounts::unmount(&at).map_err(|e| DriverError::failed(format!("let go of {vpc}"), e))?;
            files::remove_all(&at)?;
        }
        Ok(())
    }

    /// The process that leads to the internet, if it runs.
    pub fn internet_process(&self) -> DriverResult<Option<u32>> {
        self.internet.running()
    }

    /// Opens a connection.
    pub async fn dial(&self, from: Option<Ipv4Addr>, to: SocketAddrV4, timeout: Duration) -> DriverResult<TcpStream> {
        let doing = || format!("connect to {to} in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        // The namespace would let itself be asked: the metadata, the API's door and DNS listen in it, and
        // load balancers, of which two could send a request round and round.
        if !self.state.lock().spec.can_be_a_machines(*to.ip()) {
            let text = "no machine of the VPC can have this address";
            return Err(failed(io::Error::new(io::ErrorKind::HostUnreachable, text)));
        }
        let socket = self.tcp_socket().await.map_err(failed)?;
        if let Some(from) = from {
            socket.bind(SocketAddr::from((from, 0))).map_err(failed)?;
        }
        let connect = tokio::time::timeout(timeout, socket.connect(to.into()));
        match connect.await {
            Ok(result) => result.map_err(failed),
            Err(_) => {
                let text = format!("no answer within {} ms", timeout.as_millis());
                Err(failed(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }

    async fn tcp_socket(&self) -> io::Result<TcpSocket> {
        let fd = self.sockets.socket(SocketKind::Tcp).await?;
        Ok(TcpSocket::from_std_stream(fd.into()))
    }

    /// Listens.
    pub async fn listen(&self, at: SocketAddrV4) -> DriverResult<TcpListener> {
        let doing = || format!("listen on {at} in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let socket = self.tcp_socket().await.map_err(failed)?;
        socket.set_reuseaddr(true).map_err(failed)?;
        socket.bind(at.into()).map_err(failed)?;
        socket.listen(1024).map_err(failed)
    }

    /// A UDP socket.
    pub async fn bind_udp(&self, at: SocketAddrV4) -> DriverResult<UdpSocket> {
        let doing = || format!("bind {at} (UDP) in {}", self.id);
        let failed = |e: io::Error| DriverError::failed(doing(), e);
        let fd = self.sockets.socket(SocketKind::Udp).await.map_err(failed)?;
        let address = nix::sys::socket::SockaddrIn::from(at);
        nix::sys::socket::bind(fd.as_raw_fd(), &address).map_err(|e| failed(e.into()))?;
        UdpSocket::from_std(fd.into()).map_err(failed)
    }

    /// Takes it down; with `forget` its record goes too.
    pub fn remove(&self, forget: bool) -> DriverResult<()> {
        let failed = |e: io::Error| DriverError::failed(format!("take down {}", self.id), e);
        let mut state = self.state.lock();
        state.removed = true;
        self.internet.stop()?;
        // Its links go now, not when the last socket of the namespace is closed.
        for link in self.netlink.links().map_err(failed)? {
            if link.name != "lo" && link.name != TAP {
                self.netlink.delete_link(&link.name).map_err(failed)?;
            }
        }
        mounts::unmount(&self.namespace).map_err(failed)?;
        files::remove_all(&self.namespace)?;
        if forget {
            files::remove_all(&self.record)?;
        }
        Ok(())
    }
}

/// The host's own addresses, loopback aside (no packet for that leaves a machine).
pub(super) fn host_addresses() -> io::Result<BTreeSet<Ipv4Addr>> {
    let all = nix::ifaddrs::getifaddrs()?;
    let ips = all.filter_map(|a| a.address?.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip));
    Ok(ips.filter(|ip| !ip.is_loopback()).collect())
}

/// What a router namespace needs before anything else. Runs inside it; may run twice.
fn prepare() -> io::Result<()> {
    for (name, value) in SYSCTLS {
        let file = format!("/proc/sys/{name}");
        match fs::write(&file, value) {
            // A kernel without IPv6 needs no switching off; one whose connection
            // table is not loaded yet keeps its own time.
            Err(_) if name.contains("ipv6") || name.contains("nf_conntrack") => {}
            Err(e) => return Err(io::Error::new(e.kind(), format!("write {file}: {e}"))),
            Ok(()) => {}
        }
    }
    let netlink = Netlink::open()?;
    netlink.switch_on(netlink.link("lo")?.index)?;
    netlink.keep_loopback()
}

/// What cannot be built is refused before anything is touched.
fn check(spec: &VpcSpec) -> DriverResult<()> {
    let wrong = |text: String| Err(DriverError::Invalid(text));
    if !spec.id.is_safe() {
        return wrong(format!("{:?} is no usable network name", spec.id.as_str()));
    }
    for (n, subnet) in spec.subnets.iter().enumerate() {
        if !spec.cidrs.iter().any(|c| c.holds(&subnet.cidr)) {
            let (id, cidr) = (&subnet.id, subnet.cidr);
            return wrong(format!("{id} ({cidr}) is outside of {}", spec.id));
        }
        for other in &spec.subnets[..n] {
            if other.cidr.overlaps(&subnet.cidr) {
                return wrong(format!("{} and {} overlap", other.id, subnet.id));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for interface in &spec.interfaces {
        let subnet = spec.subnet(&interface.subnet);
        for (ip, _) in interface.addresses() {
            if !subnet.is_some_and(|s| s.cidr.contains(ip)) {
                return wrong(format!("the address {ip} is not in {}", interface.subnet));
            }
            if !seen.insert(ip) {
                return wrong(format!("the address {ip} is used twice"));
            }
        }
    }
    Ok(())
}
