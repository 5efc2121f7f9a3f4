//! Addresses: blocks of IPv4 addresses and hardware addresses.

use kiln_ids::{Ipv4Net, block_v4};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A block of IPv4 addresses whose host bits are zero, as EC2 keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(Ipv4Net);

/// A text that is not a CIDR block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 CIDR block")]
pub struct CidrError(pub String);

impl Cidr {
    /// The block of `prefix` bits that holds `address`; none if prefix > 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        Ipv4Net::new(address, prefix).ok().map(|net| Self(net.trunc()))
    }
    /// Every address.
    pub const ANY: Cidr = Cidr(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
    /// First address.
    pub fn base(&self) -> Ipv4Addr {
        self.0.network()
    }
    /// Number of fixed bits.
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }
    /// Whether it holds the address.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.0.contains(&address)
    }
    /// Whether it holds the whole other block.
    pub fn holds(&self, other: &Cidr) -> bool {
        self.0.contains(&other.0)
    }
    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Cidr) -> bool {
        self.holds(other) || other.holds(self)
    }
    /// The address `n` after the first: 1 is a subnet's router, 2 a VPC's DNS.
    pub fn nth(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base()).wrapping_add(n))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        block_v4(text).map(|net| Self(net.trunc())).ok_or_else(|| CidrError(text.to_owned()))
    }
}
impl TryFrom<String> for Cidr {
    type Error = CidrError;
    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}
impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// A locally administered address made from an IPv4 address, as EC2 makes them (`02:…`).
    pub fn from_ip(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x02, 0x4b, a, b, c, d])
    }
}
impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
impl FromStr for MacAddr {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a MAC address");
        let mut bytes = [0u8; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(wrong()),
        }
    }
}
impl TryFrom<String> for MacAddr {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_addresses() {
        let block: Cidr = "10.1.2.3/16".parse().unwrap();
        assert_eq!(block.to_string(), "10.1.0.0/16");
        assert!(block.contains(Ipv4Addr::new(10, 1, 255, 255)));
        assert!(!block.contains(Ipv4Addr::new(10, 2, 0, 0)));
        assert_eq!(block.nth(2), Ipv4Addr::new(10, 1, 0, 2));
        assert!(Cidr::ANY.holds(&block) && Cidr::ANY.overlaps(&block));
        assert!(!block.holds(&Cidr::ANY));
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/-1", "10.0.0.0/+8", "010.0.0.0/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mac_address_is_read_back() {
        let mac = MacAddr::from_ip(Ipv4Addr::new(10, 0, 1, 9));
        assert_eq!(mac.to_string(), "02:4b:0a:00:01:09");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        assert!("02:4b:0a:00:01".parse::<MacAddr>().is_err());
        assert!("02:4b:0a:00:01:09:00".parse::<MacAddr>().is_err());
    }
}
