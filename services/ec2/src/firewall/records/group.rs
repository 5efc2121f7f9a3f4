//! A security group and its rules.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{SecurityGroupId, SecurityGroupRuleId, VpcId};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Keys, Record};
use serde::{Deserialize, Serialize};

/// A security group. Its rules live in it: a change of one rule is a change of the group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    pub name: String,
    pub description: String,
    pub vpc: VpcId,
    pub rules: Vec<GroupRule>,
    pub tags: Tags,
}

/// One rule: one peer, one range of ports, one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRule {
    pub id: SecurityGroupRuleId,
    pub egress: bool,
    pub traffic: Traffic,
    pub peer: RulePeer,
    pub description: Option<String>,
    pub tags: Tags,
}

/// Which packets, in AWS's own terms: `-1` for all, names for tcp, udp, icmp and icmpv6, numbers
/// for the rest. For ICMP the ports are type and code, -1 for any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub protocol: String,
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
}

impl Traffic {
    /// Every packet.
    pub fn all() -> Self {
        Self { protocol: "-1".to_owned(), from_port: None, to_port: None }
    }
}

/// The other end of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulePeer {
    Cidr(Cidr),
    /// Kept and shown; Kiln's networks carry IPv4 only, so it matches nothing.
    CidrV6(String),
    Group(SecurityGroupId),
    /// One of AWS's own lists; its entries follow from its name.
    PrefixList {
        id: String,
        name: String,
    },
}

impl Record for SecurityGroup {
    const KIND: &'static str = kiln_ec2_shapes::kinds::SECURITY_GROUP;
    const KEYS: &'static [&'static str] = &["vpc-id", "group-name", "peer"];
    fn keys(&self) -> Keys {
        // The groups that its rules let in or out.
        let peers = self.rules.iter().filter_map(|rule| match &rule.peer {
            RulePeer::Group(id) => Some(("peer", id.to_string())),
            _ => None,
        });
        [("vpc-id", self.vpc.to_string()), ("group-name", self.name.clone())].into_iter().chain(peers).collect()
    }
}

impl Tagged for SecurityGroup {
    const THING: &'static Kind = &kinds::SECURITY_GROUP;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
