//! Network ACLs: numbered rules that are asked for each packet that enters or leaves a subnet.
//!
//! Every VPC has a default one, which serves the subnets that no other one was given.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{NetworkAclId, SubnetId, VpcId};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Keys, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub vpc: VpcId,
    /// Whether it is its VPC's default one.
    #[serde(default = "default_one")]
    pub is_default: bool,
    /// Its rules but for AWS's last ones, which deny the rest and cannot be changed.
    #[serde(default = "open_entries")]
    pub entries: Vec<AclEntry>,
    /// Subnets it was given by name. The default one also serves those that none was given.
    #[serde(default)]
    pub associations: Vec<AclAssociation>,
    pub tags: Tags,
}

/// A subnet that follows an ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AclAssociation {
    /// `aclassoc-…`, new with every change.
    pub id: String,
    pub subnet: SubnetId,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AclEntry {
    /// 1 to 32,766; lower ones are asked first.
    pub number: i32,
    pub egress: bool,
    pub allow: bool,
    /// The protocol's number, `-1` for all.
    pub protocol: i16,
    pub peer: AclPeer,
    /// Of TCP and UDP; the far end's port.
    #[serde(default)]
    pub ports: Option<(u16, u16)>,
    /// Type and code of ICMP; -1 for any.
    #[serde(default)]
    pub icmp: Option<(i16, i16)>,
}

/// Whose packets a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclPeer {
    Cidr(Cidr),
    /// Kept and shown; there are no IPv6 packets.
    CidrV6(String),
}

/// Records of before ACLs could be changed say neither.
fn default_one() -> bool {
    true
}

/// What a default ACL begins with: everything passes.
pub fn open_entries() -> Vec<AclEntry> {
    [true, false].map(AclEntry::open).to_vec()
}

impl AclEntry {
    fn open(egress: bool) -> Self {
        AclEntry {
            number: 100,
            egress,
            allow: true,
            protocol: -1,
            peer: AclPeer::Cidr(Cidr::ANY),
            ports: None,
            icmp: None,
        }
    }
}

impl NetworkAcl {
    /// Whether it was given the subnet by name.
    pub fn was_given(&self, subnet: &SubnetId) -> bool {
        self.associations.iter().any(|association| association.subnet == *subnet)
    }

    /// Whether no IPv4 packet is stopped, as by a default ACL that nobody changed.
    pub fn is_open(&self) -> bool {
        [true, false].into_iter().all(|egress| {
            let v4 = |e: &&AclEntry| e.egress == egress && matches!(e.peer, AclPeer::Cidr(_));
            let first = self.entries.iter().filter(v4).min_by_key(|e| e.number);
            first.is_some_and(|e| e.allow && e.protocol == -1 && e.peer == AclPeer::Cidr(Cidr::ANY))
        })
    }
}

impl Record for NetworkAcl {
    const KIND: &'static str = "ec2/network-acl";
    const KEYS: &'static [&'static str] = &["vpc-id"];
    fn keys(&self) -> Keys {
        vec![("vpc-id", self.vpc.to_string())]
    }
}
impl Tagged for NetworkAcl {
    const THING: &'static Kind = &kinds::NETWORK_ACL;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

/// The network ACL that a subnet follows: the one it was given, else the VPC's default one.
pub fn acl_of<'a>(vpc: &VpcId, subnet: &SubnetId, acls: &'a [Arc<NetworkAcl>]) -> Option<&'a Arc<NetworkAcl>> {
    let mut of_vpc = acls.iter().filter(|acl| acl.vpc == *vpc);
    of_vpc.clone().find(|acl| acl.was_given(subnet)).or_else(|| of_vpc.find(|acl| acl.is_default))
}
