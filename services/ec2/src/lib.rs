//! EC2: networks and machines.
//!
//! One crate in rooms that depend one way (README.md names them in their order), as it is one service of AWS's. All
//! keep records; controllers make them real through the machine driver: networks first, then the machines in them,
//! the names that resolve there, and images.

mod defaults;
mod driver;
mod errors;
mod explain;
mod filters;
mod firewall;
mod images;
mod instance_types;
mod instances;
mod interfaces;
mod keys;
mod kinds;
mod lookup;
mod metadata;
mod modelled;
mod names;
mod networks;
mod parameter_types;
mod passing;
mod prefix_lists;
mod properties;
mod tagging;
mod tags;
mod targets;
mod templates;
#[cfg(test)]
mod tests;
mod zones;

pub use images::provided::{register_base, register_import};
pub use images::stand_ins;
pub use instances::copied::instances_in_copy;
use kiln_service_kit::{Kept, Operation, Service, records};
pub use metadata::caller as metadata_caller;

/// The rows of every room.
fn rows() -> Vec<&'static [Operation]> {
    [
        firewall::operations::ROWS,
        images::operations::ROWS,
        instances::operations::ROWS,
        interfaces::operations::ROWS,
        &[keys::operations::OPERATIONS],
        networks::operations::ROWS,
        &[tagging::operations::OPERATIONS],
        templates::operations::ROWS,
    ]
    .concat()
}

/// The service on one screen.
pub fn service() -> Service {
    let mut service = Service::new(&kiln_ec2_shapes::SERVICE, &rows());
    service.controllers.extend(networks::controllers::all());
    service.controllers.extend(instances::controllers::all());
    service.controllers.extend(images::controllers::all());
    service.parameter_types = parameter_types::TYPES;
    service.resources.extend(firewall::resources::all());
    service.resources.extend(instances::resources::all());
    service.resources.extend(interfaces::resources::all());
    service.resources.extend(keys::resources::all());
    service.resources.extend(networks::resources::all());
    service.resources.extend(templates::resources::all());
    service.explain = Some(explain::explain);
    service.records = records![
        defaults::ScopeReady,
        firewall::records::NetworkAcl,
        firewall::records::SecurityGroup,
        images::records::DiscardedImage,
        images::records::Image,
        images::records::Snapshot,
        instances::records::ConsoleOutput,
        instances::records::Instance,
        instances::records::Volume,
        interfaces::records::Address,
        interfaces::records::NetworkInterface,
        keys::records::KeyPair,
        networks::records::DhcpOptions,
        networks::records::InternetGateway,
        networks::records::NatGateway,
        networks::records::NetworkStatus,
        networks::records::RouteTable,
        networks::records::Subnet,
        networks::records::Vpc,
        templates::records::LaunchTemplate
    ];
    service.start.push(instances::controllers::forward_machine_events);
    service.start.push(metadata::start);
    service.start.push(instances::moved::start);
    service.start.push(instances::meter::start);
    service.keeps.push(Kept::of::<instances::records::ConsoleOutput>());
    service
}
