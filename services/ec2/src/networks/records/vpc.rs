//! A VPC and the blocks of addresses it has.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{DhcpOptionsId, VpcId};
use kiln_machines_spec::Cidr;
use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

/// A virtual network. It has no state of its own: it is `available` as soon as it is kept, and
/// exists on the host once something in it needs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: VpcId,
    /// The first is the primary block.
    pub cidrs: Vec<VpcCidr>,
    /// Whether it is the scope's default VPC.
    pub is_default: bool,
    pub dhcp_options: DhcpOptionsId,
    pub enable_dns_support: bool,
    pub enable_dns_hostnames: bool,
    pub tags: Tags,
}

/// One of a VPC's blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcCidr {
    /// `vpc-cidr-assoc-…`
    pub association: String,
    pub cidr: Cidr,
}

impl Vpc {
    /// Whether public addresses in it have names.
    pub fn gives_public_names(&self) -> bool {
        self.enable_dns_support && self.enable_dns_hostnames
    }
}

impl Record for Vpc {
    const KIND: &'static str = "ec2/vpc";
}

impl Tagged for Vpc {
    const THING: &'static Kind = &kinds::VPC;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
