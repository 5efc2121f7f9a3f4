//! Operations, one file per kind of thing, one line per file here.

mod addresses;
mod console;
mod dhcp_options;
mod group_rules;
mod image_attributes;
pub mod images;
mod instance_attributes;
mod instance_credits;
mod instance_status;
mod instance_types;
mod instances;
pub mod interface_attachments;
mod internet_gateways;
pub mod key_pairs;
pub mod launch_templates;
mod nat_gateways;
mod network_acl_entries;
mod network_acls;
mod network_interfaces;
mod never_made;
mod prefix_lists;
pub mod private_addresses;
mod profiles;
mod route_tables;
mod security_groups;
mod snapshots;
mod subnets;
mod tags;
mod volumes;
mod vpcs;
mod zones;

use kiln_service_kit::Operation;

/// The rows of every file.
pub const ROWS: &[&[Operation]] = &[
    addresses::OPERATIONS,
    console::OPERATIONS,
    dhcp_options::OPERATIONS,
    group_rules::OPERATIONS,
    image_attributes::OPERATIONS,
    images::OPERATIONS,
    instance_attributes::OPERATIONS,
    instance_credits::OPERATIONS,
    instance_status::OPERATIONS,
    instance_types::OPERATIONS,
    instances::OPERATIONS,
    interface_attachments::OPERATIONS,
    internet_gateways::OPERATIONS,
    key_pairs::OPERATIONS,
    launch_templates::OPERATIONS,
    nat_gateways::OPERATIONS,
    network_acl_entries::OPERATIONS,
    network_acls::OPERATIONS,
    network_interfaces::OPERATIONS,
    never_made::OPERATIONS,
    prefix_lists::OPERATIONS,
    private_addresses::OPERATIONS,
    profiles::OPERATIONS,
    route_tables::OPERATIONS,
    security_groups::OPERATIONS,
    snapshots::OPERATIONS,
    subnets::OPERATIONS,
    tags::OPERATIONS,
    volumes::OPERATIONS,
    vpcs::OPERATIONS,
    zones::OPERATIONS,
];
