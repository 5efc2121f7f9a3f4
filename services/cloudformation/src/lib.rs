//! CloudFormation: stacks of resources, made, changed and removed as a template says.
//!
//! Operations check a wish and write it down; the controller `cloudformation/stack` brings it about
//! through the resource types that the other services register. It knows none of them.

mod controllers;
mod errors;
mod moved;
mod operations;
mod records;
mod resources;
mod stack;
mod wait_url;

#[cfg(test)]
mod tests;

use controllers::stack::StackController;
use kiln_service_kit::{Kept, Service, records};
use std::sync::Arc;

pub use wait_url::{PATH as WAIT_CONDITION_PATH, signal as signal_wait_condition};

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_cloudformation_shapes::SERVICE,
        &[
            operations::stacks::OPERATIONS,
            operations::control::OPERATIONS,
            operations::describe::OPERATIONS,
            operations::resources::OPERATIONS,
            operations::events::OPERATIONS,
            operations::templates::OPERATIONS,
            operations::change_sets::OPERATIONS,
            operations::exports::OPERATIONS,
            operations::policies::OPERATIONS,
        ],
    );
    service.controllers = vec![Arc::new(StackController::default())];
    service.resources = vec![
        Arc::new(resources::cdk_metadata::CdkMetadataType),
        Arc::new(resources::stack::NestedStackType),
        Arc::new(resources::wait_condition::WaitConditionType),
        Arc::new(resources::wait_condition_handle::WaitConditionHandleType),
    ];
    service.keeps = vec![
        Kept::of::<records::Event>(),
        Kept::of::<records::event::OperationOf>(),
        Kept::of::<records::deleted::Deleted>(),
        Kept::of::<records::deleted::Row>(),
        Kept::of::<records::ChangeSet>(),
    ];
    service.start.push(moved::start);
    service.records = records![
        moved::NextEvent,
        records::ChangeSet,
        records::Event,
        records::Resource,
        records::Stack,
        records::wait::WaitCondition,
        records::wait::WaitHandle
    ];
    service
}
