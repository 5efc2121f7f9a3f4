//! EC2 Auto Scaling: groups of machines that are kept at their desired capacity.
//!
//! ```text
//! operations ─► autoscaling/group, autoscaling/instance ─► controller autoscaling/group
//!                                                          observe: ec2, elbv2 by public operations
//! ec2/instance, elbv2/target-health ────── wake ─────────► plan: who is dead, too many, too few
//!                                                          act: RunInstances, RegisterTargets, …
//! ```

mod changes;
mod controllers;
mod errors;
mod meter;
mod moved;
mod notify;
mod operations;
mod records;
mod resources;
mod roles;
mod targets;
mod templates;
mod told;

use kiln_service_kit::{Kept, Service, records};
use std::sync::Arc;

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_autoscaling_shapes::SERVICE,
        &[
            operations::groups::OPERATIONS,
            operations::describe_groups::OPERATIONS,
            operations::capacity::OPERATIONS,
            operations::instances::OPERATIONS,
            operations::membership::OPERATIONS,
            operations::standby::OPERATIONS,
            operations::processes::OPERATIONS,
            operations::hooks::OPERATIONS,
            operations::traffic_sources::OPERATIONS,
            operations::tags::OPERATIONS,
            operations::activities::OPERATIONS,
            operations::launch_configurations::OPERATIONS,
            operations::types::OPERATIONS,
            operations::metrics::OPERATIONS,
            operations::notifications::OPERATIONS,
            operations::not_yet::OPERATIONS,
        ],
    );
    service.controllers.push(Arc::new(controllers::group::GroupController));
    service.resources = resources::all();
    service.keeps.push(Kept::of::<records::Activity>());
    service.start.push(moved::start);
    service.start.push(meter::start);
    service.records = records![records::Activity, records::Group, records::LaunchConfiguration, records::Member];
    service
}
