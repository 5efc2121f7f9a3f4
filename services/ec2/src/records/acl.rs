//! The default network ACL of a VPC: it allows everything, and is the only one there can be.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::{NetworkAclId, VpcId};
use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub vpc: VpcId,
    pub tags: Tags,
}

impl Record for NetworkAcl {
    const KIND: &'static str = "ec2/network-acl";
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
