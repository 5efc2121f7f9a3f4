//! Blocks of IP addresses (CIDR), read as AWS reads them.
//!
//! The type is ipnet's. Its own reading of text takes `010.0.0.0/8`, which some programs read as 8.0.0.0/8 and
//! others as 10.0.0.0/8; here, as with AWS, that is no block.

pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use std::net::IpAddr;

/// `ADDRESS/BITS`; its host bits may be set (`trunc()` clears them). None: it is no block.
pub fn block(text: &str) -> Option<IpNet> {
    let (address, bits) = text.split_once('/')?;
    let bits = Some(bits).filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))?;
    IpNet::new(address.parse::<IpAddr>().ok()?, bits.parse().ok()?).ok()
}

/// The same of IPv4 alone.
pub fn block_v4(text: &str) -> Option<Ipv4Net> {
    match block(text)? {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}

/// The same of IPv6 alone.
pub fn block_v6(text: &str) -> Option<Ipv6Net> {
    match block(text)? {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_aws_reads_them() {
        let shown = |text: &str| block(text).map(|net| net.trunc().to_string());
        assert_eq!(shown("10.1.2.3/16").as_deref(), Some("10.1.0.0/16"));
        assert_eq!(shown("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(shown("2001:DB8::1/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!((block_v4("::/0"), block_v6("10.0.0.0/8")), (None, None));
        for bad in [
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0/8",
            "x/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "010.0.0.0/8",
            "::/129",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "",
        ] {
            assert_eq!(block(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_block_holds_its_own_family_alone() {
        let holds = |text: &str, address: &str| block(text).unwrap().contains(&address.parse::<IpAddr>().unwrap());
        assert!(holds("10.0.0.9/8", "10.255.255.255") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "255.255.255.255") && holds("10.0.0.1/32", "10.0.0.1"));
        assert!(!holds("0.0.0.0/0", "::1") && !holds("::/0", "10.0.0.1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::"));
    }
}
