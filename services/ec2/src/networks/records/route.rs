//! Route tables: where packets that leave a subnet go.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{InternetGatewayId, NatGatewayId, RouteTableAssociationId, RouteTableId, SubnetId, VpcId};
use kiln_service_kit::{Keys, Record};
use serde::{Deserialize, Serialize};

/// A route table. The local routes are not kept: they follow from the VPC's blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub vpc: VpcId,
    pub associations: Vec<RouteAssociation>,
    pub routes: Vec<Route>,
    pub tags: Tags,
}

/// Who uses a table: a subnet, or, as the VPC's main table, every subnet without one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteAssociation {
    pub id: RouteTableAssociationId,
    pub user: RouteUser,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteUser {
    Main,
    Subnet(SubnetId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub destination: Destination,
    pub target: RouteTarget,
}

/// Kiln's networks reach the internet whole or not at all, so these are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// `0.0.0.0/0`
    AnyV4,
    /// `::/0`: kept and shown; there are no IPv6 packets to follow it.
    AnyV6,
}

impl Destination {
    pub fn text(self) -> &'static str {
        match self {
            Destination::AnyV4 => "0.0.0.0/0",
            Destination::AnyV6 => "::/0",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    InternetGateway(InternetGatewayId),
    NatGateway(NatGatewayId),
}

impl RouteTable {
    /// Whether it is its VPC's main table.
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.user == RouteUser::Main)
    }

    /// Whether the subnet is associated with it by name.
    pub fn serves(&self, subnet: &SubnetId) -> bool {
        self.associations.iter().any(|a| matches!(&a.user, RouteUser::Subnet(s) if s == subnet))
    }
}

impl Record for RouteTable {
    const KIND: &'static str = "ec2/route-table";
    const KEYS: &'static [&'static str] = &["vpc-id"];
    fn keys(&self) -> Keys {
        vec![("vpc-id", self.vpc.to_string())]
    }
}
impl Tagged for RouteTable {
    const THING: &'static Kind = &kinds::ROUTE_TABLE;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
