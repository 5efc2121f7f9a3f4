//! Ways out of a VPC: internet gateways and NAT gateways.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{AllocationId, InternetGatewayId, NatGatewayId, NetworkInterfaceId, SubnetId, VpcId};
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// An internet gateway; it does something only while attached and routed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    pub id: InternetGatewayId,
    pub vpc: Option<VpcId>,
    pub tags: Tags,
}

/// A NAT gateway. Pending until the network controller has put it on the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NatGateway {
    pub id: NatGatewayId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub state: NatState,
    /// Its address in the subnet; gone once deleted.
    pub interface: NetworkInterfaceId,
    pub private_ip: Ipv4Addr,
    pub allocation: AllocationId,
    pub public_ip: Ipv4Addr,
    pub created: Timestamp,
    pub tags: Tags,
}

/// pending → available → deleted, or pending → failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatState {
    Pending,
    Available,
    Failed { code: String, message: String },
    Deleted { at: Timestamp },
}

impl NatState {
    /// AWS's name.
    pub fn name(&self) -> &'static str {
        match self {
            NatState::Pending => "pending",
            NatState::Available => "available",
            NatState::Failed { .. } => "failed",
            NatState::Deleted { .. } => "deleted",
        }
    }

    /// Whether it carries packets, or is about to.
    pub fn is_live(&self) -> bool {
        matches!(self, NatState::Pending | NatState::Available)
    }
}

impl Record for InternetGateway {
    const KIND: &'static str = "ec2/internet-gateway";
    const KEYS: &'static [&'static str] = &["attachment.vpc-id"];
    fn keys(&self) -> Keys {
        self.vpc.iter().map(|vpc| ("attachment.vpc-id", vpc.to_string())).collect()
    }
}
impl Tagged for InternetGateway {
    const THING: &'static Kind = &kinds::INTERNET_GATEWAY;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Record for NatGateway {
    const KIND: &'static str = "ec2/nat-gateway";
    const KEYS: &'static [&'static str] = &["vpc-id"];
    fn keys(&self) -> Keys {
        vec![("vpc-id", self.vpc.to_string())]
    }
}
impl Tagged for NatGateway {
    const THING: &'static Kind = &kinds::NAT_GATEWAY;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
