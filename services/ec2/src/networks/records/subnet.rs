//! A subnet: a part of a VPC's addresses in one zone.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{SubnetId, VpcId};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Keys, Record};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: SubnetId,
    pub vpc: VpcId,
    pub cidr: Cidr,
    /// The zone's name, e.g. `us-east-1a`.
    pub zone: String,
    /// Whether it is its zone's default subnet.
    pub default_for_az: bool,
    pub map_public_ip_on_launch: bool,
    /// `ip-name` or `resource-name`.
    pub hostname_type: String,
    pub resource_name_dns_a: bool,
    pub tags: Tags,
}

impl Subnet {
    /// Addresses that can be given to interfaces: all but the five AWS keeps (network, router,
    /// DNS, future use, broadcast).
    pub fn usable(&self) -> u32 {
        (1u32 << (32 - u32::from(self.cidr.prefix()))) - 5
    }

    /// The `n`th usable address, `n` < [`Subnet::usable`].
    pub fn usable_address(&self, n: u32) -> Ipv4Addr {
        self.cidr.nth(4 + n)
    }

    /// Whether an interface may have this address.
    pub fn may_give(&self, ip: Ipv4Addr) -> bool {
        let n = u32::from(ip).wrapping_sub(u32::from(self.cidr.base()));
        self.cidr.contains(ip) && n >= 4 && n - 4 < self.usable()
    }
}

impl Record for Subnet {
    const KIND: &'static str = "ec2/subnet";
    const KEYS: &'static [&'static str] = &["vpc-id"];
    fn keys(&self) -> Keys {
        vec![("vpc-id", self.vpc.to_string())]
    }
}

impl Tagged for Subnet {
    const THING: &'static Kind = &kinds::SUBNET;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
