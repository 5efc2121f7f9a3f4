//! Elastic Load Balancing v2: application load balancers that really forward.
//!
//! ```text
//! operations --records--> controller elbv2/load-balancer: interfaces (ec2), config -> DataPlane
//!                         controller elbv2/target-health: instances (ec2), live health -> records
//! clients --port--> kiln-balancer --dial through the driver--> targets inside the VPC
//! ```
//!
//! What runs is always derived from records, so a restart rebuilds it; what is reported about
//! targets comes from the health checks that were really made.

mod actions;
mod arns;
mod attributes;
mod conditions;
mod config;
mod controllers;
mod data_plane;
mod errors;
mod explain;
mod health;
mod meter;
mod network;
mod operations;
mod places;
mod principal;
mod records;
mod resources;
mod tags;
mod target_addresses;
mod targets;

pub use data_plane::{DataPlane, DriverDialer, dial_error};
pub use kiln_balancer::{Body, Dialer, HostDialer, Options, Ports, Stream};
pub use kiln_elbv2_shapes::names;
pub use places::{Place, find as find_place, places};
pub use principal::PRINCIPAL;

use kiln_service_kit::{Service, records};
use std::sync::Arc;

/// The service. The server must install an `Arc<DataPlane>`.
pub fn service() -> Service {
    use operations::*;
    Service {
        controllers: vec![Arc::new(controllers::LoadBalancers), Arc::new(controllers::Health)],
        resources: resources::all(),
        start: vec![controllers::follow_health, meter::start],
        explain: Some(explain::explain),
        records: records![
            records::Listener,
            records::LoadBalancer,
            records::Rule,
            records::Standing,
            records::TargetGroup,
            records::TargetHealth
        ],
        ..Service::new(
            &kiln_elbv2_shapes::SERVICE,
            &[
                load_balancers::OPERATIONS,
                load_balancer_settings::OPERATIONS,
                target_groups::OPERATIONS,
                targets::OPERATIONS,
                listeners::OPERATIONS,
                rules::OPERATIONS,
                attributes::OPERATIONS,
                tags::OPERATIONS,
                facts::OPERATIONS,
            ],
        )
    }
}
