//! The names under which DNS knows addresses: private ones of a VPC, public ones of a region. Shared:
//! records, listings, metadata and the DNS itself must say the same.

use kiln_service_kit::regions;
use std::net::Ipv4Addr;

/// `ip-10-0-0-5`
pub fn ip_host(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("ip-{a}-{b}-{c}-{d}")
}

/// The domain of private names of a region.
pub fn private_domain(region: &str) -> String {
    match region {
        "us-east-1" => "ec2.internal".to_owned(),
        other => format!("{other}.compute.internal"),
    }
}

/// The public name of a public address.
pub fn public_dns_name(region: &str, ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("ec2-{a}-{b}-{c}-{d}.{}", public_domain(region))
}

/// The domain of public names of a region.
pub fn public_domain(region: &str) -> String {
    match region {
        "us-east-1" => "compute-1.amazonaws.com".to_owned(),
        other => format!("{other}.compute.{}", regions::partition_of(other).dns_suffix),
    }
}
