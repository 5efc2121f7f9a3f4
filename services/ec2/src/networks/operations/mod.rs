//! Operations, one file per kind of thing, one line per file here.

mod dhcp_options;
mod internet_gateways;
mod nat_gateways;
mod never_made;
mod prefix_lists;
mod route_tables;
mod subnets;
mod vpcs;
mod zones;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[
    dhcp_options::OPERATIONS,
    internet_gateways::OPERATIONS,
    nat_gateways::OPERATIONS,
    never_made::OPERATIONS,
    prefix_lists::OPERATIONS,
    route_tables::OPERATIONS,
    subnets::OPERATIONS,
    vpcs::OPERATIONS,
    zones::OPERATIONS,
];
