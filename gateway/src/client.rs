//! Who is at the other end of a connection, and at which door it knocked.
//!
//! An address alone says nothing: two networks may use the same block, and both use addresses that
//! the host may have as well. So the network goes with the address wherever one is judged.

use http::{HeaderMap, Uri};
use kiln_service_kit::Cx;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// As much of a `User-Agent` is told. Source: AWS CloudTrail User Guide, "CloudTrail record contents": 1 KB.
const LONGEST_AGENT: usize = 1024;

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: SocketAddr,
    /// The network whose machine it is; none: it came from the host or from outside.
    pub vpc: Option<Arc<str>>,
}

impl Client {
    /// One at the host's own door.
    pub fn of_host(address: SocketAddr) -> Self {
        Self { address, vpc: None }
    }

    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Tells a call where it came from, and what the caller's program calls itself.
    pub(crate) fn tell(&self, cx: Cx, headers: &HeaderMap) -> Cx {
        let cx = cx.from_ip(self.ip());
        let agent = headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        let cx = match agent {
            Some(agent) => cx.by_agent(agent.get(..LONGEST_AGENT).unwrap_or(agent)),
            None => cx,
        };
        match &self.vpc {
            Some(vpc) => cx.from_vpc(vpc),
            None => cx,
        }
    }
}

/// The name that a request is for, from its target or its Host header: lower case, without the port
/// and without the dot that ends a full name.
pub fn host_of(uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri.host().or_else(|| headers.get(http::header::HOST)?.to_str().ok());
    plain_name(host.unwrap_or(""))
}

/// See [`host_of`].
pub(crate) fn plain_name(host: &str) -> String {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_has_many_spellings() {
        for host in ["Shop.elb.LOCALHOST", "shop.elb.localhost:4566", "shop.elb.localhost.", "shop.elb.localhost.:80"] {
            assert_eq!(plain_name(host), "shop.elb.localhost");
        }
        assert_eq!(plain_name("[::1]:4566"), "[::1]");
        assert_eq!(plain_name("[::1]"), "[::1]");
        let absolute: Uri = "http://Shop.elb.localhost.:4566/".parse().expect("a target");
        let other = HeaderMap::from_iter([(http::header::HOST, http::HeaderValue::from_static("localhost"))]);
        assert_eq!(host_of(&absolute, &other), "shop.elb.localhost", "the target counts, as RFC 9112 says");
    }
}
