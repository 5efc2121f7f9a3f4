//! What of a VPC is on the host now: written by the network controller after the driver said so,
//! read by whoever must wait for it (the instance controller, the metadata service).

use kiln_service_kit::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Kept under the VPC's id; there is none while the VPC is not on the host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// SHA-256 of what was applied.
    pub digest: String,
    /// Ids of the interfaces that packets reach.
    pub interfaces: BTreeSet<String>,
}

impl Record for NetworkStatus {
    const KIND: &'static str = kiln_ec2_shapes::kinds::NETWORK_STATUS;
}
