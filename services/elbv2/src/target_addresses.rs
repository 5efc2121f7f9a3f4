//! Which addresses can be registered as targets of type `ip`, and in which zone they are. Pure.
//!
//! AWS takes addresses of the subnets of the target group's VPC, and those of RFC 1918 and RFC 6598
//! (100.64.0.0/10), which may be anywhere: in another VPC or on premises. Addresses that the
//! internet routes are refused, and so is what is no host's at all: loopback, link-local (the
//! metadata service), multicast. Source: the API Reference's CreateTargetGroup (`TargetType`) and
//! TargetDescription (`AvailabilityZone`).
//!
//! This is what may be *written down*. What is really asked is decided again where a connection is
//! opened: no load balancer leaves its VPC (`MachineDriver::dial`).

use crate::errors;
use crate::network::Subnet;
use kiln_elbv2_shapes::TargetDescription;
use kiln_ids::Ipv4Net;
use kiln_service_kit::Error;
use std::net::Ipv4Addr;

/// Ranges that networks use among themselves.
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// The address of a target, and its zone: its subnet's, or none (`all`) outside of the VPC.
pub fn placed(subnets: &[Subnet], target: &TargetDescription) -> Result<(Ipv4Addr, String), Error> {
    let id = &target.id;
    let ip: Ipv4Addr =
        id.parse().map_err(|_| errors::invalid(format!("The IP address '{id}' is not a valid IPv4 address")))?;
    if ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.octets()[0] == 0 || ip.octets()[0] >= 240 {
        return Err(errors::invalid(format!("The IP address '{id}' cannot be a target: it is reserved")));
    }
    let subnet = subnets.iter().find(|s| s.block.is_some_and(|block| block.contains(&ip)));
    match (subnet, target.availability_zone.as_deref()) {
        (Some(subnet), None) => Ok((ip, subnet.zone.clone())),
        (Some(subnet), Some(zone)) if zone == subnet.zone => Ok((ip, subnet.zone.clone())),
        (Some(subnet), Some(zone)) => Err(errors::invalid(format!(
            "The IP address '{id}' is within the VPC, and cannot have its Availability Zone overridden to '{zone}' from '{}'",
            subnet.zone
        ))),
        (None, _) if !PRIVATE.iter().any(|block| block.contains(&ip)) => Err(errors::invalid(format!(
            "The IP address '{id}' must be in a subnet of the VPC or in one of 10.0.0.0/8, 172.16.0.0/12, \
                 192.168.0.0/16 and 100.64.0.0/10"
        ))),
        (None, Some("all")) => Ok((ip, String::new())),
        (None, _) => Err(errors::invalid(format!(
            "You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, \
             since the IP address '{id}' is outside the VPC"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_aws_takes_are_placed() {
        let subnet = |zone: &str, cidr: &str| Subnet {
            id: String::new(),
            vpc: String::new(),
            zone: zone.into(),
            block: kiln_ids::block_v4(cidr),
        };
        // A VPC may have blocks that are public elsewhere.
        let subnets = [subnet("a", "10.0.1.0/24"), subnet("b", "203.0.113.0/28")];
        let place = |id: &str, zone: Option<&str>| {
            let target =
                TargetDescription { id: id.into(), availability_zone: zone.map(str::to_owned), ..Default::default() };
            placed(&subnets, &target).map(|(_, zone)| zone).map_err(|e| e.to_string())
        };
        assert_eq!(place("10.0.1.9", None).as_deref(), Ok("a"));
        assert_eq!(place("10.0.1.9", Some("a")).as_deref(), Ok("a"));
        assert_eq!(place("203.0.113.5", None).as_deref(), Ok("b"));
        for outside in ["10.0.2.9", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "100.127.255.1"] {
            assert_eq!(place(outside, Some("all")).as_deref(), Ok(""), "{outside}");
            let text = place(outside, None).expect_err("where?");
            assert!(text.ends_with(&format!("since the IP address '{outside}' is outside the VPC")), "{text}");
            assert!(place(outside, Some("a")).is_err(), "an application load balancer takes only 'all'");
        }
        assert_eq!(
            place("10.0.1.9", Some("all")).expect_err("it is not"),
            "ValidationError: The IP address '10.0.1.9' is within the VPC, and cannot have its Availability Zone \
             overridden to 'all' from 'a'"
        );
        for never in [
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "8.8.8.8",
            "172.15.255.255",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "198.18.0.1",
            "203.0.113.16",
            "10.0.1",
            "010.0.1.9",
            "0x7f.0.0.1",
            "2130706433",
            "::1",
            "::ffff:127.0.0.1",
            "localhost",
            "10.0.1.9/32",
            "",
            " 10.0.1.9",
        ] {
            for zone in [None, Some("all"), Some("a")] {
                assert!(place(never, zone).is_err_and(|e| e.starts_with("ValidationError: ")), "{never} {zone:?}");
            }
        }
    }
}
