//! Where load balancers can be reached from the host: for the main port and `kiln status`.

use crate::arns::listeners_prefix;
use crate::records::{Listener, LoadBalancer, Standing};
use kiln_service_kit::{Error, Scope, Store};
use std::net::Ipv4Addr;

/// A load balancer, as seen from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub arn: String,
    pub name: String,
    /// As the API gives it.
    pub dns_name: String,
    /// The same for use on the host, see [`crate::names`].
    pub host_name: String,
    /// Its own loopback address.
    pub address: Ipv4Addr,
    /// Its listeners' ports, lowest first.
    pub ports: Vec<u16>,
    pub state: &'static str,
    pub reason: Option<String>,
}

impl Place {
    /// The listener that requests by host name on the main port go to: port 80 if there is one,
    /// else the lowest.
    pub fn main_port(&self) -> Option<u16> {
        self.ports.iter().find(|p| **p == 80).or(self.ports.first()).copied()
    }
}

/// Every load balancer of every account and region.
pub fn places(store: &Store) -> Result<Vec<Place>, Error> {
    let all = store.list_everywhere::<LoadBalancer>()?;
    all.into_iter().map(|(scope, _, lb)| place(store, &scope, &lb)).collect()
}

/// The load balancer of a name, whichever of its endings that has.
pub fn find(store: &Store, name: &str) -> Result<Option<Place>, Error> {
    for name in crate::names::both(name) {
        if let Some((scope, _, lb)) = store.by_key_everywhere::<LoadBalancer>("dns-name", &name)?.first() {
            return place(store, scope, lb).map(Some);
        }
    }
    Ok(None)
}

fn place(store: &Store, scope: &Scope, lb: &LoadBalancer) -> Result<Place, Error> {
    let listeners = store.list_prefix::<Listener>(scope, &listeners_prefix(&lb.arn))?;
    let mut ports: Vec<u16> = listeners.iter().map(|(_, listener)| listener.port).collect();
    ports.sort_unstable();
    let standing = store.get::<Standing>(scope, &lb.arn)?;
    Ok(Place {
        arn: lb.arn.clone(),
        name: lb.name.clone(),
        dns_name: lb.dns_name.clone(),
        host_name: crate::names::at_host(&lb.dns_name),
        address: lb.address,
        ports,
        state: standing.as_ref().map_or("provisioning", |s| s.state.as_str()),
        reason: standing.and_then(|s| s.reason.clone()),
    })
}
