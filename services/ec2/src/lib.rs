//! EC2: networks and machines.
//!
//! Two halves in one crate, as in AWS: the network half (VPCs, subnets, gateways, route tables,
//! security groups, interfaces, addresses) and the compute half (instances, images, launch
//! templates, key pairs, volumes). Both keep records; two controllers make them real through the
//! machine driver: `ec2/network` (one per VPC) and the instance controller, which waits for the
//! network of its machine.

mod controllers;
mod defaults;
mod disk_size;
mod dns;
mod errors;
mod filters;
mod image_lookup;
mod instance_filters;
mod instance_shown;
mod instance_types;
#[cfg(test)]
mod interface_stories;
mod interfaces;
mod kinds;
mod launch;
mod lookup;
#[cfg(test)]
mod machine_stories;
mod metadata;
mod network_spec;
mod operations;
mod prefix_lists;
mod provided;
mod public_keys;
mod records;
mod resources;
mod rules;
pub mod stand_ins;
mod tags;
mod targets;
#[cfg(test)]
mod tests;
mod zones;

use kiln_service_kit::Service;
pub use provided::{register_base, register_import};

/// The service on one screen.
pub fn service() -> Service {
    let mut service = Service::new(&kiln_ec2_shapes::SERVICE, operations::ROWS);
    service.controllers = controllers::all();
    service.resources = resources::all();
    service.targets = Some(targets::of);
    service.start.push(controllers::forward_machine_events);
    service.start.push(metadata::start);
    service
}
