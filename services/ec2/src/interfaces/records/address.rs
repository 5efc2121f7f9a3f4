//! An Elastic IP address: one of the host's loopback, at which the host reaches who has it.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{AllocationId, AssociationId, NetworkInterfaceId};
use kiln_service_kit::{Keys, Record};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Address {
    pub id: AllocationId,
    pub ip: Ipv4Addr,
    /// The interface it belongs to; that interface's `public` says the same.
    pub association: Option<(AssociationId, NetworkInterfaceId)>,
    pub tags: Tags,
}

impl Record for Address {
    const KIND: &'static str = "ec2/address";
    const KEYS: &'static [&'static str] = &["public-ip", "association-id"];
    fn keys(&self) -> Keys {
        let association = self.association.iter().map(|(id, _)| ("association-id", id.to_string()));
        std::iter::once(("public-ip", self.ip.to_string())).chain(association).collect()
    }
}
impl Tagged for Address {
    const THING: &'static Kind = &kinds::ADDRESS;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
