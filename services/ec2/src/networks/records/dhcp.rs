//! The scope's DHCP options: the default set, the only one there can be.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::DhcpOptionsId;
use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    pub id: DhcpOptionsId,
    /// e.g. `ec2.internal`
    pub domain_name: String,
    pub tags: Tags,
}

impl Record for DhcpOptions {
    const KIND: &'static str = "ec2/dhcp-options";
}
impl Tagged for DhcpOptions {
    const THING: &'static Kind = &kinds::DHCP_OPTIONS;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
