//! Where kiln may connect to when it delivers to a URL. Kiln runs on the host, as root, beside everything that listens on
//! its loopback: whoever can name an endpoint must not reach through kiln what they could not reach themselves.
//!
//! | who named it | kiln connects to |
//! |---|---|
//! | a program of the host: its call came from a loopback address, at the host's door | any address but those below |
//! | anybody else: a machine, a caller from outside, a stack | public addresses that are not the host's own |
//! | whoever | never link-local ones (metadata among them), multicast, broadcast, unspecified |
//!
//! A name is resolved for each attempt, every address that comes of it is judged, and the connection goes to a judged one:
//! a name that changes its mind leads nowhere else. Redirects are not followed.

use kiln_service_kit::{Cx, Error};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who named an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// A program of this host, which can reach what listens there itself.
    Host,
    /// Anybody else.
    Outside,
}

impl Reach {
    /// That of whoever makes this call.
    pub fn of(cx: &Cx) -> Self {
        let from_host = cx.source_vpc().is_none() && cx.source_ip().is_some_and(|ip| ip.to_canonical().is_loopback());
        if from_host { Self::Host } else { Self::Outside }
    }

    /// Refuses an address that is written in a URL, when it is named; names are judged when they are resolved.
    pub(crate) fn check_written(self, host: &str) -> Result<(), Error> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let local = bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost");
        let open = match bare.parse::<IpAddr>() {
            Ok(ip) => self.admits(ip, &[]),
            Err(_) => self == Self::Host || !local,
        };
        if open {
            return Ok(());
        }
        let text = format!("kiln does not connect to {bare} for this caller");
        Err(Error::sender("InvalidParameter", text))
    }

    /// Whether kiln connects to an address; `own` are the host's.
    pub fn admits(self, ip: IpAddr, own: &[IpAddr]) -> bool {
        let ip = ip.to_canonical();
        let never = match ip {
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0,
            IpAddr::V6(ip) => {
                ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local() || embedded(ip).is_some()
            }
        };
        match self {
            _ if never => false,
            Self::Host => true,
            Self::Outside => is_public(ip) && !own.contains(&ip),
        }
    }
}

/// An IPv4 address that gateways make of an IPv6 one (NAT64, 6to4): judged by no rule here, so not connected to.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0x64, 0xff9b, ..] => Some(v4(parts[6], parts[7])),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // IPv4-compatible, of old; loopback (::1) is its own.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 1) && (high, low) != (0, 0) => Some(v4(high, low)),
        _ => None,
    }
}

/// Whether an address is one of the public internet. Source: IANA's special-purpose address registries.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
                || ip.is_documentation()
                || a >= 240)
        }
        // 2000::/3 is what is given out, but documentation's part.
        IpAddr::V6(ip) => (ip.segments()[0] & 0xe000) == 0x2000 && ip.segments()[..2] != [0x2001, 0xdb8],
    }
}

/// The addresses of the host's own interfaces.
pub(crate) fn own_addresses() -> std::io::Result<Vec<IpAddr>> {
    let all = nix::ifaddrs::getifaddrs().map_err(std::io::Error::from)?;
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    Ok(all.filter_map(|interface| interface.address.and_then(ip)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reaches_through_kiln_what_they_could_not_reach_themselves() {
        let own: IpAddr = "203.0.114.9".parse().unwrap();
        for (address, host, outside) in [
            ("127.0.0.1", true, false),
            ("127.9.9.9", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("10.0.0.1", true, false),
            ("192.168.1.1", true, false),
            ("172.31.0.1", true, false),
            ("100.64.0.1", true, false),
            ("198.19.254.1", true, false),
            ("fd00::1", true, false),
            ("203.0.114.9", true, false),
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("2002:7f00:1::", false, false),
            ("::7f00:1", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", true, false),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(
                (Reach::Host.admits(ip, &[own]), Reach::Outside.admits(ip, &[own])),
                (host, outside),
                "{address}"
            );
        }
        for (written, outside) in
            [("localhost", false), ("a.localhost", false), ("[::1]", false), ("example.com", true)]
        {
            assert!(Reach::Host.check_written(written).is_ok());
            assert_eq!(Reach::Outside.check_written(written).is_ok(), outside, "{written}");
        }
        assert!(own_addresses().unwrap().iter().any(IpAddr::is_loopback));
    }
}
