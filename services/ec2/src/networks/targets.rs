//! What policies know of the room: see [`crate::targets`].

use crate::kinds;
use crate::networks::records::{DhcpOptions, InternetGateway, NatGateway, RouteTable, Subnet, Vpc};
use crate::targets::{Thing, by_id, by_id_or};

/// By its id, or by the association of a block.
pub const VPC: Thing = Thing {
    kind: &kinds::VPC,
    find: |cx, text| by_id_or::<Vpc>(cx, text, |vpc| vpc.cidrs.iter().any(|each| each.association == text)),
};

pub const SUBNET: Thing = Thing { kind: &kinds::SUBNET, find: by_id::<Subnet> };
pub const INTERNET_GATEWAY: Thing = Thing { kind: &kinds::INTERNET_GATEWAY, find: by_id::<InternetGateway> };
pub const NAT_GATEWAY: Thing = Thing { kind: &kinds::NAT_GATEWAY, find: by_id::<NatGateway> };
pub const DHCP_OPTIONS: Thing = Thing { kind: &kinds::DHCP_OPTIONS, find: by_id::<DhcpOptions> };

/// By its id, or by an association with a subnet.
pub const ROUTE_TABLE: Thing = Thing {
    kind: &kinds::ROUTE_TABLE,
    find: |cx, text| by_id_or::<RouteTable>(cx, text, |table| table.associations.iter().any(|each| *each.id == *text)),
};

/// AWS's own lists: no record, no tags.
pub const PREFIX_LIST: Thing = Thing { kind: &kinds::PREFIX_LIST, find: |_, _| Ok(None) };
