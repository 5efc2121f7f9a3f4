//! One VPC's router: its namespace, bridges, addresses, rules and sockets.

mod links;
mod sockets;

use super::acls;
use super::firewall;
use super::internet::{self, Internet, TAP};
use crate::host::child::{self, Surroundings};
use crate::host::netlink::Netlink;
use crate::host::netns::{self, SocketMaker};
use crate::host::{files, mounts};
use kiln_machines_spec::{DriverError, DriverResult, SubnetId, VpcId, VpcSpec, ZoneName};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
